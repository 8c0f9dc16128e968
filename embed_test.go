package whozex_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
)

// promoted lists the methods that a struct gets by embedding a result, which make it print,
// log or encode only that result, as docs/observability.md says.
var promoted = map[string][]string{
	"Package": {"Format", "LogValue"}, "Credentials": {"Format", "LogValue"}, "ProxyEndpoint": {"Format", "LogValue"},
	"Webhook": {"Format", "LogValue"}, "RegeneratedKey": {"Format", "LogValue", "UnmarshalJSON"},
	"Outcome": {"Format", "LogValue"}, "Response": {"Format", "LogValue", "String"},
	"Error": {"Error", "Format"}, "ResponseError": {"Error", "Format"}, "OutcomeUnknownError": {"Error", "Format"}, "ParamError": {"Error"},
	"AccountStats": {"UnmarshalJSON"}, "Usage": {"UnmarshalJSON"}, "AnalyticsOverview": {"UnmarshalJSON"},
	"CallInfo": {"LogValue"}, "ChartPoint": {"MarshalJSON", "UnmarshalJSON"},
}

func TestEmbedding_PromotedMethods(t *testing.T) {
	shown := []string{"Error", "Format", "GoString", "LogValue", "MarshalJSON", "MarshalText", "String", "UnmarshalJSON", "UnmarshalText"}
	got := map[string][]string{}
	for _, v := range append(marshalled, whozex.ProxyEndpoint{}, whozex.ChartPoint{}, whozex.CallInfo{}, whozex.Plan{}, whozex.Targeting{}, whozex.Pagination{}) {
		of := reflect.TypeOf(v)
		for method := range reflect.PointerTo(of).Methods() {
			if slices.Contains(shown, method.Name) {
				got[of.Name()] = append(got[of.Name()], method.Name)
			}
		}
	}
	assert.Equal(t, promoted, got)
}

func TestEmbedding_NamedField(t *testing.T) {
	pkg := whozex.Package{ID: "PKG-1", EvomiPassword: secretValue}
	logged := func(v any) string {
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "order", v)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "order", v)
		return log.String()
	}
	type embedding struct {
		whozex.Package
		Buyer string `json:"buyer"`
	}
	type naming struct {
		Package whozex.Package `json:"package"`
		Buyer   string         `json:"buyer"`
	}
	for _, tt := range []struct {
		name        string
		order       any
		print, logs bool // with the struct's own field
	}{
		{name: "embedding", order: embedding{pkg, "john"}},
		{name: "naming", order: naming{pkg, "john"}, print: true, logs: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text, err := json.Marshal(tt.order)
			require.NoError(t, err)
			assert.Contains(t, string(text), "john", "JSON has both in either way")
			assert.Equal(t, tt.print, bytes.Contains([]byte(fmt.Sprint(tt.order)), []byte("john")))
			assert.Equal(t, tt.logs, bytes.Contains([]byte(logged(tt.order)), []byte("john")))
			for _, all := range []string{string(text), fmt.Sprint(tt.order), logged(tt.order)} {
				assert.Contains(t, all, "PKG-1")
				assert.NotContains(t, all, secretValue)
			}
		})
	}
}
