package main

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/idempotency"
	"github.com/whozex/whozex-go/otelwhozex"
)

// newMetrics returns what makes a client count its calls, and a page for Prometheus of
// these counts and of the keys. Traces go to the global provider, of which a program
// sets its own.
func newMetrics(keys *idempotency.Store) ([]whozex.Option, http.Handler, error) {
	registry := prometheus.NewRegistry()
	reader, err := exporter.New(exporter.WithRegisterer(registry))
	if err != nil {
		return nil, nil, err
	}
	meters := metric.NewMeterProvider(metric.WithReader(reader))
	if err := otelwhozex.ReportKeys(keys.Counts, otelwhozex.WithMeterProvider(meters)); err != nil {
		return nil, nil, err
	}
	page := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	return otelwhozex.Options(otelwhozex.WithMeterProvider(meters)), page, nil
}
