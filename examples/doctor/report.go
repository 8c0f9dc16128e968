package main

import (
	"fmt"
	"io"
	"regexp"
	"text/tabwriter"

	"github.com/whozex/whozex-go/internal/shape"
)

// report has the findings of all calls. It contains names and types but no values,
// so that it can be shared.
type report struct {
	SDK      string    `json:"sdk"`
	Findings []finding `json:"findings"`
}

// exitCode considers only documented fields. A new field does not contradict the
// documentation.
func (r report) exitCode() int {
	code := exitSame
	for _, f := range r.Findings {
		if f.Failed != "" {
			code = exitNotRun
		}
	}
	for _, f := range r.Findings {
		for _, d := range f.Differences {
			if !d.Inferred && d.Kind != shape.Unknown {
				return exitDifferent
			}
		}
	}
	return code
}

func (r report) print(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, f := range r.Findings {
		switch {
		case f.Failed != "":
			_, _ = fmt.Fprintf(table, "%s\tFAILED\t%s\n", f.Operation, f.Failed)
		case len(f.Differences) == 0:
			_, _ = fmt.Fprintf(table, "%s\tas expected\t\n", f.Operation)
		case len(f.Differences) == 1:
			_, _ = fmt.Fprintf(table, "%s\t1 difference\t\n", f.Operation)
		default:
			_, _ = fmt.Fprintf(table, "%s\t%d differences\t\n", f.Operation, len(f.Differences))
		}
		for _, d := range f.Differences {
			_, _ = fmt.Fprintf(table, "  %s\t%s\t%s%s\n", d.Path, d.Kind, detail(d), f.conversion(d))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out, []string{
		exitSame: "nothing that is documented differs", exitDifferent: "something documented differs", exitNotRun: "a call failed",
	}[r.exitCode()])
	return err
}

var index = regexp.MustCompile(`\[[0-9]+\]`)

// conversion reports whether the SDK converted a value of another type.
func (f finding) conversion(d shape.Difference) string {
	if d.Kind == shape.Unknown || d.Kind == shape.Missing || f.Failed != "" {
		return ""
	}
	for _, path := range f.Unread {
		if index.ReplaceAllString(path, "[]") == d.Path {
			return ", not read"
		}
	}
	return ", converted"
}

func detail(d shape.Difference) string {
	text := d.Got
	if d.Want != "" && d.Got != "" {
		text = d.Got + " instead of " + d.Want
	} else if d.Want != "" {
		text = d.Want
	}
	if d.Inferred {
		text += " (inferred)"
	}
	return text
}
