// Command table prints the output of the benchmarks as the tables of
// docs/benchmarks.md. Each value is the median of the repetitions.
//
//	go -C bench test -run '^$' -bench . -count 6 . | go -C bench run ./table
package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"
)

// A table has a column for each metric of a benchmark and a row for each contender.
type table struct {
	title   string
	columns []column
}

type column struct{ title, benchmark, metric, format string }

var tables = []table{
	{"one call, as ratios to net/http and encoding/json by hand", []column{
		{"account", "Call/account/in_process", "x-time", "%.2f"}, {"allocations", "Call/account/in_process", "allocs/op", "%.0f"},
		{"bytes", "Call/account/in_process", "x-bytes", "%.2f"}, {"over loopback", "Call/account/loopback", "x-time", "%.2f"},
		{"100 users", "Call/users/in_process", "x-time", "%.2f"}, {"bytes", "Call/users/in_process", "x-bytes", "%.2f"},
		{"over loopback", "Call/users/loopback", "x-time", "%.2f"},
	}},
	{"many calls", []column{
		{"64 goroutines, calls a second to go-retryablehttp's", "Load", "x-retryable", "%.2f"}, {"connections", "Load", "conns", "%.0f"},
		{"500 chunked lists, connections", "Connections/chunked", "conns", "%.0f"},
		{"1 in 100 cancelled, connections", "Connections/cancelled", "conns", "%.0f"},
	}},
	{"reads at 50 a second, burst 10", []column{
		{"300: of the possible rate", "RateLimit/calls=300", "of-possible", "%.2f"}, {"refused for each call", "RateLimit/calls=300", "refused", "%.3f"},
		{"1,500: of the possible rate", "RateLimit/calls=1500", "of-possible", "%.2f"}, {"refused for each call", "RateLimit/calls=1500", "refused", "%.3f"},
	}},
	{"100 pages of 20 ms", []column{
		{"to one by one", "IteratePages/pages=100/work=0s", "of-serial", "%.2f"},
		{"reader that takes 20 ms a page", "IteratePages/pages=100/work=20ms", "of-serial", "%.2f"},
	}},
	{"webhook signatures, as ratios to crypto/hmac by hand", []column{
		{"256 B", "WebhookVerify/valid/size=256", "x-time", "%.2f"}, {"allocations", "WebhookVerify/valid/size=256", "allocs/op", "%.0f"},
		{"1 KiB", "WebhookVerify/valid/size=1024", "x-time", "%.2f"}, {"16 KiB", "WebhookVerify/valid/size=16384", "x-time", "%.2f"},
		{"1 MiB", "WebhookVerify/valid/size=1048576", "x-time", "%.2f"}, {"forged, 256 B", "WebhookVerify/forged/size=256", "x-time", "%.2f"},
		{"header of a megabyte, ns", "WebhookVerify/a_megabyte/size=256", "ns/op", "%.0f"},
	}},
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "table:", err)
		os.Exit(1)
	}
}

// results has the values of the repetitions, by benchmark, contender and metric.
type results map[[3]string][]float64

func run(in io.Reader, out io.Writer) error {
	values, contenders, err := read(in)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if err := t.print(out, values, contenders); err != nil {
			return err
		}
	}
	return nil
}

func read(in io.Reader) (values results, contenders []string, err error) {
	values = results{}
	reader := benchfmt.NewReader(in, "stdin")
	for reader.Scan() {
		result, ok := reader.Result().(*benchfmt.Result)
		if !ok {
			continue
		}
		name := strings.TrimSuffix(string(result.Name.Full()), suffix(result))
		benchmark, contender, ok := cutContender(name)
		if !ok {
			continue
		}
		if !slices.Contains(contenders, contender) {
			contenders = append(contenders, contender)
		}
		for _, value := range result.Values {
			key := [3]string{benchmark, contender, cmp.Or(value.OrigUnit, value.Unit)}
			v := value.Value
			if value.OrigUnit != "" {
				v = value.OrigValue
			}
			values[key] = append(values[key], v)
		}
	}
	// The baseline comes first.
	slices.SortStableFunc(contenders, func(a, b string) int {
		return cmp.Compare(strings.Count(b, "by hand"), strings.Count(a, "by hand"))
	})
	return values, contenders, reader.Err()
}

// suffix returns the end of a benchmark's name, which is the number of processors.
func suffix(r *benchfmt.Result) string {
	_, parts := r.Name.Parts()
	if n := len(parts); n > 0 && strings.HasPrefix(string(parts[n-1]), "-") {
		return string(parts[n-1])
	}
	return ""
}

// cutContender splits a name into the benchmark, which must be in a table, and the
// contender, whose name may contain a slash.
func cutContender(name string) (benchmark, contender string, ok bool) {
	for _, t := range tables {
		for _, c := range t.columns {
			if rest, found := strings.CutPrefix(name, c.benchmark+"/"); found {
				return c.benchmark, strings.ReplaceAll(rest, "_", " "), true
			}
		}
	}
	return "", "", false
}

func (t table) print(out io.Writer, results results, contenders []string) error {
	header, separator := []string{t.title}, []string{"---"}
	for _, c := range t.columns {
		header, separator = append(header, c.title), append(separator, "--:")
	}
	lines := [][]string{header, separator}
	for _, contender := range contenders {
		row, hasValues := []string{contender}, false
		for _, c := range t.columns {
			values := results[[3]string{c.benchmark, contender, c.metric}]
			if len(values) == 0 {
				row = append(row, "")
				continue
			}
			slices.Sort(values)
			row, hasValues = append(row, fmt.Sprintf(c.format, values[len(values)/2])), true
		}
		if hasValues {
			lines = append(lines, row)
		}
	}
	if len(lines) == 2 {
		return nil
	}
	for _, line := range lines {
		if _, err := fmt.Fprintf(out, "| %s |\n", strings.Join(line, " | ")); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(out)
	return err
}
