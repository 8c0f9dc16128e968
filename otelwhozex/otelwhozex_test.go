package otelwhozex_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/otelwhozex"
	"github.com/whozex/whozex-go/whozextest"
)

type fixture struct {
	t      *testing.T
	spans  *tracetest.InMemoryExporter
	traces *sdktrace.TracerProvider
	reader *sdkmetric.ManualReader
	server *whozextest.Server
	client *whozex.Client
}

func start(t *testing.T, opts ...whozex.Option) *fixture {
	t.Helper()
	o := &fixture{t: t, spans: tracetest.NewInMemoryExporter(), reader: sdkmetric.NewManualReader(), server: whozextest.NewServer(whozextest.WithUsers(1))}
	t.Cleanup(o.server.Close)
	o.traces = sdktrace.NewTracerProvider(sdktrace.WithSyncer(o.spans))
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(o.reader))
	options := otelwhozex.Options(otelwhozex.WithTracerProvider(o.traces), otelwhozex.WithMeterProvider(meters))
	o.client = o.server.Client(append(append(options, whozex.WithBackoff(0, 0)), opts...)...)
	t.Cleanup(o.client.CloseIdleConnections)
	return o
}

// takeSpans returns and removes the span of the last call and those of its attempts.
func (o *fixture) takeSpans() (call tracetest.SpanStub, attempts []tracetest.SpanStub) {
	o.t.Helper()
	for _, span := range o.spans.GetSpans() {
		if span.SpanKind == trace.SpanKindClient {
			attempts = append(attempts, span)
		} else {
			require.Empty(o.t, call.Name, "a call must have one span")
			call = span
		}
	}
	o.spans.Reset()
	for _, attempt := range attempts {
		assert.Equal(o.t, call.SpanContext.SpanID(), attempt.Parent.SpanID())
	}
	return call, attempts
}

func attributes(list []attribute.KeyValue) map[string]any {
	all := map[string]any{}
	for _, a := range list {
		all[string(a.Key)] = a.Value.AsInterface()
	}
	return all
}

func TestSpans(t *testing.T) {
	o := start(t, whozex.WithCache(time.Hour))
	ctx, parent := o.traces.Tracer("test").Start(t.Context(), "order")
	page, err := o.client.ListUsers(ctx, whozex.ListUsersParams{Search: "user1@example.com"})
	require.NoError(t, err)
	id := page.Items[0].ID
	call, attempts := o.takeSpans()
	assert.Equal(t, "ListUsers", call.Name)
	assert.Equal(t, parent.SpanContext().SpanID(), call.Parent.SpanID())
	assert.Equal(t, map[string]any{
		"http.request.method": "GET", "url.template": "/users", "http.response.status_code": int64(200),
		"whozex.operation": "ListUsers", "whozex.attempts": int64(1), "whozex.outcome": "ok", "whozex.cached": false,
	}, attributes(call.Attributes))
	require.Len(t, attempts, 1)
	assert.Equal(t, "GET", attempts[0].Name)
	got := attributes(attempts[0].Attributes)
	assert.Equal(t, o.server.URL+"/users", got["url.full"])
	assert.Equal(t, "GET", got["http.request.method"])
	assert.EqualValues(t, 200, got["http.response.status_code"])
	assert.Equal(t, "127.0.0.1", got["server.address"])

	_, err = o.client.ListUsers(t.Context(), whozex.ListUsersParams{Search: "user1@example.com"})
	require.NoError(t, err)
	call, attempts = o.takeSpans()
	assert.Empty(t, attempts)
	assert.Equal(t, true, attributes(call.Attributes)["whozex.cached"])

	o.server.Inject(whozex.OpGetPricing, whozextest.ServerErrorBeforeCommit(http.StatusServiceUnavailable), 1)
	_, err = o.client.GetPricing(t.Context())
	require.NoError(t, err)
	call, attempts = o.takeSpans()
	assert.Equal(t, codes.Unset, call.Status.Code)
	require.Len(t, attempts, 2)
	assert.Equal(t, codes.Error, attempts[0].Status.Code)
	assert.NotContains(t, attributes(attempts[0].Attributes), "http.request.resend_count")
	assert.EqualValues(t, 1, attributes(attempts[1].Attributes)["http.request.resend_count"])

	for _, tt := range []struct {
		name  string
		fault []whozextest.Fault
		call  func() error
		want  map[string]any
	}{
		{
			name: "status error", call: func() error {
				_, err := o.client.PurchasePackage(t.Context(), id, whozex.PurchasePackageParams{GB: 20})
				return err
			},
			want: map[string]any{
				"http.request.method": "POST", "url.template": "/users/{user_id}/packages", "http.response.status_code": int64(402),
				"error.type": "INSUFFICIENT_BALANCE", "whozex.operation": "PurchasePackage", "whozex.attempts": int64(1),
				"whozex.outcome": "error", "whozex.cached": false,
			},
		},
		{
			name: "response lost", fault: []whozextest.Fault{whozextest.CommitThenDrop()}, call: func() error {
				_, err := o.client.AddBalance(t.Context(), id, decimal.NewFromInt(1), "x")
				return err
			},
			want: map[string]any{
				"http.request.method": "POST", "url.template": "/users/{user_id}/balance", "error.type": "outcome_unknown",
				"whozex.operation": "AddBalance", "whozex.attempts": int64(1), "whozex.outcome": "unknown", "whozex.cached": false,
			},
		},
		{
			name: "not sent", call: func() error {
				_, err := o.client.CalculatePrice(t.Context(), 0)
				return err
			},
			want: map[string]any{
				"http.request.method": "GET", "url.template": "/pricing/calculate", "error.type": "*whozex.ParamError",
				"whozex.operation": "CalculatePrice", "whozex.attempts": int64(0), "whozex.outcome": "error", "whozex.cached": false,
			},
		},
		{
			name: "Do", call: func() error { return o.client.Do(t.Context(), http.MethodDelete, "/users/"+id, nil, nil, nil) },
			want: map[string]any{
				"http.request.method": "DELETE", "http.response.status_code": int64(404), "error.type": "NOT_FOUND",
				"whozex.operation": "Do", "whozex.attempts": int64(1), "whozex.outcome": "error", "whozex.cached": false,
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, fault := range tt.fault {
				o.server.Inject(whozex.OpAddBalance, fault, 1)
			}
			require.Error(t, tt.call())
			call, attempts := o.takeSpans()
			assert.Equal(t, codes.Error, call.Status.Code)
			assert.Equal(t, tt.want, attributes(call.Attributes))
			assert.EqualValues(t, tt.want["whozex.attempts"], len(attempts))
		})
	}
}

func TestMetrics(t *testing.T) {
	o := start(t)
	for range 2 {
		_, err := o.client.GetAccount(t.Context())
		require.NoError(t, err)
	}
	o.server.Inject(whozex.OpCreateUser, whozextest.CommitThenDrop(), 1)
	_, err := o.client.CreateUser(t.Context(), whozex.CreateUserParams{Email: "john@example.com"})
	require.ErrorIs(t, err, whozex.ErrOutcomeUnknown)
	var data metricdata.ResourceMetrics
	require.NoError(t, o.reader.Collect(context.Background(), &data))
	type point struct {
		operation, outcome string
		status             any
		value              int64
	}
	var calls []point
	var attempts uint64
	for _, scope := range data.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch m.Name {
			case "whozex.client.calls":
				for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
					labels := attributes(p.Attributes.ToSlice())
					calls = append(calls, point{operation: labels["whozex.operation"].(string), outcome: labels["whozex.outcome"].(string), status: labels["http.response.status_code"], value: p.Value})
				}
			case "http.client.request.duration":
				assert.Equal(t, "s", m.Unit)
				for _, p := range m.Data.(metricdata.Histogram[float64]).DataPoints {
					attempts += p.Count
				}
			}
		}
	}
	assert.ElementsMatch(t, []point{{operation: "GetAccount", outcome: "ok", status: int64(200), value: 2}, {operation: "CreateUser", outcome: "unknown", value: 1}}, calls)
	assert.EqualValues(t, 3, attempts)
}

func TestReports(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	meters := otelwhozex.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	type counts struct{ Pending, Succeeded int64 } // as the Counts of idempotency
	keys := counts{Pending: 2, Succeeded: 5}
	require.NoError(t, otelwhozex.ReportKeys(func(context.Context) (counts, error) { return keys, nil }, meters))
	require.NoError(t, otelwhozex.ReportInbox(func(context.Context) (struct{ Dead int64 }, error) { return struct{ Dead int64 }{1}, nil }, meters))
	outage := otelwhozex.ReportOutages("limiter", meters)
	values := func() map[string]int64 {
		var data metricdata.ResourceMetrics
		require.NoError(t, reader.Collect(context.Background(), &data))
		all := map[string]int64{}
		for _, m := range data.ScopeMetrics[0].Metrics {
			for _, p := range m.Data.(metricdata.Gauge[int64]).DataPoints {
				all[m.Name+" "+p.Attributes.ToSlice()[0].Value.AsString()] = p.Value
			}
		}
		return all
	}
	assert.Equal(t, map[string]int64{
		"whozex.idempotency.keys pending": 2, "whozex.idempotency.keys succeeded": 5, "whozex.inbox.events dead": 1, "whozex.redis.available limiter": 1,
	}, values())
	keys.Pending = 0
	outage(errors.New("gone"))
	assert.EqualValues(t, 0, values()["whozex.idempotency.keys pending"])
	assert.EqualValues(t, 0, values()["whozex.redis.available limiter"])
	outage(nil)
	assert.EqualValues(t, 1, values()["whozex.redis.available limiter"])

	require.ErrorContains(t, otelwhozex.ReportKeys(func(context.Context) (int, error) { return 0, nil }), "int is not a struct of counts")
	type wrong struct{ Name string }
	require.ErrorContains(t, otelwhozex.ReportKeys(func(context.Context) (wrong, error) { return wrong{}, nil }), "Name is not an int64")
	reader = sdkmetric.NewManualReader()
	meters = otelwhozex.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	require.NoError(t, otelwhozex.ReportKeys(func(context.Context) (counts, error) { return counts{}, errors.New("the database is away") }, meters))
	require.ErrorContains(t, reader.Collect(t.Context(), new(metricdata.ResourceMetrics)), "the database is away")
}
