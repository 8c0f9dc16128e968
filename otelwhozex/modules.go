package otelwhozex

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// ReportKeys reports the idempotency keys by their state, as counted by the Counts of
// an idempotency.Store. It is called once for each collection.
func ReportKeys[C any](counts func(context.Context) (C, error), opts ...Option) error {
	return gauge("whozex.idempotency.keys", "{key}", "Idempotency keys by state.", counts, opts)
}

// ReportInbox reports the events of an inbox by their state, as counted by its Counts.
// It is called once for each collection.
func ReportInbox[C any](counts func(context.Context) (C, error), opts ...Option) error {
	return gauge("whozex.inbox.events", "{event}", "Events of webhooks by state.", counts, opts)
}

// gauge observes a struct of int64, whose fields are states. So this module does not
// require those of the databases.
func gauge[C any](name, unit, description string, counts func(context.Context) (C, error), opts []Option) error {
	of := reflect.TypeFor[C]()
	if of.Kind() != reflect.Struct {
		return fmt.Errorf("otelwhozex: %s is not a struct of counts", of)
	}
	for field := range of.Fields() {
		if field.Type.Kind() != reflect.Int64 {
			return fmt.Errorf("otelwhozex: %s.%s is not an int64", of, field.Name)
		}
	}
	_, err := newTelemetry(opts).meter().Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(description),
		metric.WithInt64Callback(func(ctx context.Context, o metric.Int64Observer) error {
			c, err := counts(ctx)
			if err != nil {
				return err
			}
			for state, count := range reflect.ValueOf(c).Fields() {
				o.Observe(count.Int(), metric.WithAttributes(attribute.String("whozex.state", strings.ToLower(state.Name))))
			}
			return nil
		}))
	return err
}

// ReportOutages returns what redisguard.WithOnOutage takes: it reports whether Redis is
// available to a component, such as "limiter", as 1 or 0.
func ReportOutages(component string, opts ...Option) func(error) {
	available, err := newTelemetry(opts).meter().Int64Gauge("whozex.redis.available",
		metric.WithUnit("1"), metric.WithDescription("1 while Redis is available, 0 during an outage."))
	if err != nil {
		otel.Handle(err)
	}
	report := func(outage error) {
		value := int64(1)
		if outage != nil {
			value = 0
		}
		available.Record(context.Background(), value, metric.WithAttributes(attribute.String("whozex.component", component)))
	}
	report(nil)
	return report
}
