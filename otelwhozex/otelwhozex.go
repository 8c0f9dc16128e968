// Package otelwhozex reports the calls of a [whozex.Client] to OpenTelemetry: a span
// for each call, a child span for each attempt, and metrics.
//
//	client, err := whozex.FromEnv(otelwhozex.Options()...)
//
// The span of a call has the name of its operation, the kind internal, and the
// attributes http.request.method, url.template, http.response.status_code,
// error.type, whozex.operation, whozex.attempts, whozex.cached and whozex.outcome (ok,
// error or unknown). The span of an attempt comes from otelhttp. It has the kind
// client and the attributes of the semantic conventions, including
// http.request.resend_count. Its url.full has no query, because that may contain
// emails.
//
// The metrics are:
//
//	http.client.request.duration   histogram, s, for each attempt, from otelhttp
//	whozex.client.calls            counter, by whozex.operation, whozex.outcome,
//	                               http.response.status_code and whozex.cached
//	whozex.idempotency.keys        gauge, by whozex.state, see [ReportKeys]
//	whozex.inbox.events            gauge, by whozex.state, see [ReportInbox]
//	whozex.redis.available         gauge, 1 or 0, by whozex.component, see [ReportOutages]
//
// Metric attributes contain no ids and no user input. With OpenTelemetry's exporter
// for Prometheus, the counter is named whozex_client_calls_total.
package otelwhozex

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/whozex/whozex-go"
)

const scope = "github.com/whozex/whozex-go/otelwhozex"

// Option changes a default of [Options].
type Option func(*telemetry)

// WithTracerProvider sets the provider for spans. The default is the global one.
func WithTracerProvider(provider trace.TracerProvider) Option {
	return func(t *telemetry) { t.traces = provider }
}

// WithMeterProvider sets the provider for metrics. The default is the global one.
func WithMeterProvider(provider metric.MeterProvider) Option {
	return func(t *telemetry) { t.meters = provider }
}

type telemetry struct {
	traces trace.TracerProvider
	meters metric.MeterProvider
	tracer trace.Tracer
	calls  metric.Int64Counter
}

func newTelemetry(opts []Option) *telemetry {
	t := &telemetry{traces: otel.GetTracerProvider(), meters: otel.GetMeterProvider()}
	for _, opt := range opts {
		opt(t)
	}
	return t
}

func (t *telemetry) meter() metric.Meter {
	return t.meters.Meter(scope, metric.WithInstrumentationVersion(whozex.Version))
}

// Options returns the options that make a client report its calls, for [whozex.New]
// and [whozex.FromEnv].
func Options(opts ...Option) []whozex.Option {
	t := newTelemetry(opts)
	t.tracer = t.traces.Tracer(scope, trace.WithInstrumentationVersion(whozex.Version))
	var err error
	t.calls, err = t.meter().Int64Counter("whozex.client.calls",
		metric.WithUnit("{call}"), metric.WithDescription("Calls of the Whozex API by outcome."))
	if err != nil {
		otel.Handle(err)
	}
	return []whozex.Option{whozex.WithCallHook(t.startCall), whozex.WithMiddleware(t.attemptSpan, attemptAttributes)}
}

// startCall starts the span of a call. It returns the function that ends it.
func (t *telemetry) startCall(ctx context.Context, call whozex.CallInfo) (context.Context, func(whozex.CallInfo)) {
	attributes := []attribute.KeyValue{
		attribute.String("whozex.operation", string(call.Operation)),
		semconv.HTTPRequestMethodKey.String(call.Method),
	}
	if call.Route != "" {
		attributes = append(attributes, semconv.URLTemplate(call.Route))
	}
	ctx, span := t.tracer.Start(ctx, string(call.Operation), trace.WithTimestamp(call.Start), trace.WithAttributes(attributes...))
	return ctx, func(call whozex.CallInfo) { t.endCall(ctx, span, &call) }
}

func (t *telemetry) endCall(ctx context.Context, span trace.Span, call *whozex.CallInfo) {
	shared := []attribute.KeyValue{
		attribute.String("whozex.outcome", call.Outcome()),
		attribute.Bool("whozex.cached", call.Cached),
	}
	if call.StatusCode != 0 {
		shared = append(shared, semconv.HTTPResponseStatusCode(call.StatusCode))
	}
	t.calls.Add(ctx, 1, metric.WithAttributes(append(slices.Clip(shared), attribute.String("whozex.operation", string(call.Operation)))...))
	span.SetAttributes(append(slices.Clip(shared), attribute.Int("whozex.attempts", call.Attempts))...)
	if call.Err != nil {
		kind := call.Code
		switch {
		case call.OutcomeUnknown:
			kind = "outcome_unknown"
		case kind == "":
			kind = semconv.ErrorType(call.Err).Value.AsString()
		}
		span.SetAttributes(semconv.ErrorTypeKey.String(kind))
		span.SetStatus(codes.Error, call.Err.Error())
	}
	span.End(trace.WithTimestamp(call.Start.Add(call.Duration)))
}

// attemptSpan adds the span and the metrics of an attempt.
func (t *telemetry) attemptSpan(next http.RoundTripper) http.RoundTripper {
	return otelhttp.NewTransport(next, otelhttp.WithTracerProvider(t.traces), otelhttp.WithMeterProvider(t.meters),
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string { return r.Method }))
}

// attemptAttributes sets the attributes that otelhttp does not know. It runs within
// attemptSpan.
func attemptAttributes(next http.RoundTripper) http.RoundTripper {
	return roundTripperFunc(func(r *http.Request) (*http.Response, error) {
		span := trace.SpanFromContext(r.Context())
		if r.URL.RawQuery != "" {
			span.SetAttributes(semconv.URLFull((&url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host, Path: r.URL.Path, RawPath: r.URL.RawPath}).String()))
		}
		if _, attempt := whozex.OperationFromContext(r.Context()); attempt > 1 {
			span.SetAttributes(semconv.HTTPRequestResendCount(attempt - 1))
		}
		return next.RoundTrip(r)
	})
}

type roundTripperFunc func(*http.Request) (*http.Response, error)

func (f roundTripperFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
