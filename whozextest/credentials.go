package whozextest

import (
	"fmt"
	"strings"
	"unicode"
)

const (
	proxyHost  = "rp.evomi.com"
	httpPort   = 1000
	socksPort  = 1002
	anyCountry = "any"
)

type credentialsView struct {
	Username  string        `json:"username"`
	Password  string        `json:"password"`
	HTTP      endpointView  `json:"http"`
	SOCKS5    endpointView  `json:"socks5"`
	Targeting targetingView `json:"targeting"`
}

type endpointView struct {
	Host             string `json:"host"`
	Port             int    `json:"port"`
	ConnectionString string `json:"connection_string"`
	CurlExample      string `json:"curl_example,omitempty"`
}

type targetingView struct {
	Country string  `json:"country"`
	City    *string `json:"city"`
}

func (s *Server) getCredentials(c *call) (any, *failure) {
	p := s.packages[c.id]
	if p == nil {
		return nil, notFound("Package")
	}
	targeting, suffix, failed := target(c.query.Get("country"), c.query.Get("city"))
	if failed != nil {
		return nil, failed
	}
	password := p.password + suffix
	v := credentialsView{
		Username: p.username, Password: p.password, Targeting: targeting,
		HTTP: endpoint(httpPort, p.username, password), SOCKS5: endpoint(socksPort, p.username, password),
	}
	v.HTTP.CurlExample = fmt.Sprintf(`curl -x "http://%s:%s@%s:%d" https://ip.whozex.com`, p.username, password, proxyHost, httpPort)
	return v, nil
}

func endpoint(port int, username, password string) endpointView {
	return endpointView{
		Host: proxyHost, Port: port,
		ConnectionString: fmt.Sprintf("%s:%d:%s:%s", proxyHost, port, username, password),
	}
}

// target reads the targeting and returns the suffix of the password for it.
func target(country, city string) (v targetingView, suffix string, failed *failure) {
	v.Country = anyCountry
	if country != "" && !strings.EqualFold(country, anyCountry) {
		v.Country = strings.ToUpper(country)
		if len(country) != 2 || strings.Trim(v.Country, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			return v, "", invalidParam("country must be a two-letter ISO code or any")
		}
		suffix = "_country-" + v.Country
	}
	if city == "" {
		return v, suffix, nil
	}
	if len(city) > 100 || strings.ContainsFunc(city, notOfCity) || strings.TrimSpace(city) != city {
		return v, "", invalidParam("city is not the name of a city")
	}
	v.City = &city
	return v, suffix + "_city-" + strings.ReplaceAll(city, " ", "-"), nil
}

func notOfCity(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsMark(r) && !strings.ContainsRune(" -.'", r)
}
