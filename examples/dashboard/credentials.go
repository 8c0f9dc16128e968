package main

import (
	"net/http"
	"strings"
	"sync"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"github.com/whozex/whozex-go"
)

// secrets are the connection strings of a package for one targeting.
type secrets struct {
	HTTP, SOCKS5, Curl string
	Targeting          whozex.Targeting // as the API's response has it
}

// credentials shows the credentials of a known package. It is a POST, so that no link,
// browser history or prefetch contains them.
func (d *dashboard) credentials(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	found, ok := d.catalog.get(id)
	if !ok {
		d.fail(w, r, http.StatusNotFound, "The dashboard does not know this package.")
		return
	}
	v := d.view(r.Context(), found)
	v.Asked = whozex.Targeting{Country: cut(r.PostFormValue("country"), 10), City: cut(r.PostFormValue("city"), 100)}
	c, err := d.client.GetCredentials(r.Context(), id, v.Asked)
	if err != nil {
		v.Refusal = explain(err)
	} else {
		v.Secrets = &secrets{c.HTTP.ConnectionString.Reveal(), c.SOCKS5.ConnectionString.Reveal(), curl(c), c.Targeting}
	}
	d.render(w, r, http.StatusOK, "package", "Package "+id, v)
}

// curl returns the API's example command with the proxy URL quoted for a shell, so that
// no character in a password can run another command.
func curl(c *whozex.Credentials) string {
	proxy, err := c.HTTPProxyURL()
	if err != nil {
		return ""
	}
	return "curl -x '" + strings.ReplaceAll(proxy.String(), "'", `'\''`) + "' https://ip.whozex.com"
}

// country is an option for the targeting.
type country struct{ Code, Name string }

// countries returns those of ISO 3166. The API does not list which ones it supports.
var countries = sync.OnceValue(func() (all []country) {
	names := display.English.Regions()
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			code := string([]rune{a, b})
			if region, err := language.ParseRegion(code); err == nil && region.IsCountry() && region.String() == code && region.Canonicalize() == region {
				all = append(all, country{code, names.Name(region)})
			}
		}
	}
	return all
})

// Countries returns the options of the form.
func (packageView) Countries() []country { return countries() }
