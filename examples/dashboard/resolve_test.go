package main

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/whozextest"
)

func TestResolve(t *testing.T) {
	for _, tt := range []struct {
		name string
		form url.Values
		want []string
	}{
		{name: "carried out, with the package", form: url.Values{"outcome": {"carried out"}, "reason": {"seen at the panel"}, "package": {"PKG-ABCDEF"}}, want: []string{"Package bought", "PKG-ABCDEF", "seen at the panel"}},
		{name: "carried out", form: url.Values{"outcome": {"carried out"}, "reason": {"seen"}}, want: []string{"Package bought", "The package is not known", "seen"}},
		{name: "not carried out", form: url.Values{"outcome": {"not carried out"}, "reason": {"support says"}}, want: []string{"Not bought", "decided by a person at the dashboard", "support says"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, v, id := newBuyer(t)
			path, form, _ := v.quote("/users/"+id+"/purchase", twenty)
			_, body := v.get("/operations")
			assert.Contains(t, body, "None. The outcome of every operation is known")
			d.sandbox.Inject(whozex.OpPurchasePackage, whozextest.DropBeforeCommit(), 1)
			v.post(path, form)
			before := d.sandbox.Requests(whozex.OpPurchasePackage)
			_, body = v.get("/operations")
			assert.Contains(t, body, "20 GB residential for Buyer")
			for _, wrong := range []url.Values{
				{}, {"outcome": {"carried out"}}, {"outcome": {"perhaps"}, "reason": {"x"}}, {"outcome": {"carried out"}, "reason": {"x"}, "package": {"../x"}},
			} {
				status, body := v.post(path+"/resolve", wrong)
				assert.Equal(t, http.StatusUnprocessableEntity, status)
				assert.Contains(t, body, "Nothing was changed")
			}
			status, _ := v.post(path+"/resolve", tt.form, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") })
			assert.Equal(t, http.StatusForbidden, status)
			status, to := v.post(path+"/resolve", tt.form)
			require.Equal(t, http.StatusSeeOther, status, to)
			_, body = v.get(to)
			for _, want := range tt.want {
				assert.Contains(t, body, want)
			}
			assert.Equal(t, before, d.sandbox.Requests(whozex.OpPurchasePackage), "nothing is sent")
			status, body = v.post("/operations/NEVER/resolve", tt.form)
			assert.Equal(t, http.StatusNotFound, status, body)
		})
	}
}
