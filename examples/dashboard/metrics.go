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

// newMetrics returns the options that make a client count its calls, and the page with
// these counts and those of the keys for Prometheus. Traces go to the global provider,
// which a program can set.
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
