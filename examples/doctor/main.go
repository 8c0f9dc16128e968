// Command doctor holds what the API really answers against what this SDK
// expects, and tells the differences by name and type, without any value.
//
// With WHOZEX_API_KEY it asks the live API, by reading calls only; without, a
// sandbox that it starts itself. It buys nothing: with -operation and -answer it
// reads the stored response of a mutating call instead. It ends with 0 when nothing documented differs,
// with 1 when something does, and with 2 when it could not ask everything.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"

	"github.com/shopspring/decimal"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/whozextest"
)

const (
	exitSame      = 0
	exitDifferent = 1
	exitNotRun    = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("doctor", flag.ContinueOnError)
	flags.SetOutput(stderr)
	packageID := flags.String("package", "", "`id` of a package of yours to look at too")
	asJSON := flags.Bool("json", false, "print JSON")
	file := flags.String("report", "", "write names and types, without any value, to `file`")
	operation := flags.String("operation", "", "mutating `operation`, such as PurchasePackage, that -answer is of")
	stored := flags.String("answer", "", "read the body of a response from `file` in place of calling the API")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return exitSame
		}
		return exitNotRun
	}
	fail := func(err error) int {
		_, _ = fmt.Fprintln(stderr, "doctor:", err)
		return exitNotRun
	}
	var r report
	if *stored != "" {
		var err error
		if r, err = examineStored(ctx, whozex.Operation(*operation), *stored); err != nil {
			return fail(err)
		}
	} else {
		client, id, end, err := open(ctx, *packageID)
		if err != nil {
			return fail(err)
		}
		defer end()
		r = examine(ctx, client, id)
	}
	if *file != "" {
		data, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return fail(err)
		}
		if err := os.WriteFile(*file, append(data, '\n'), 0o600); err != nil {
			return fail(err)
		}
	}
	printed := r.print
	if *asJSON {
		printed = func(out io.Writer) error {
			encoder := json.NewEncoder(out)
			encoder.SetIndent("", "  ")
			return encoder.Encode(r)
		}
	}
	if err := printed(stdout); err != nil {
		return fail(err)
	}
	return r.exitCode()
}

// open returns a client that can only read, of the live API or of a sandbox with
// some business on it.
func open(ctx context.Context, packageID string) (client *whozex.Client, id string, end func(), err error) {
	reading := whozex.WithHTTPClient(&http.Client{Transport: readOnly{http.DefaultTransport}})
	if os.Getenv("WHOZEX_API_KEY") != "" {
		client, err = whozex.FromEnv(reading)
		return client, packageID, func() {}, err
	}
	server := whozextest.NewServer()
	if packageID == "" {
		if packageID, err = trade(ctx, server); err != nil {
			server.Close()
			return nil, "", nil, err
		}
	}
	return server.Client(reading), packageID, server.Close, nil
}

// readOnly makes sure that nothing else leaves, whatever the program does.
type readOnly struct{ next http.RoundTripper }

func (r readOnly) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet {
		return nil, fmt.Errorf("doctor makes no %s", req.Method)
	}
	return r.next.RoundTrip(req)
}

// trade gives a sandbox something to tell.
func trade(ctx context.Context, server *whozextest.Server) (packageID string, err error) {
	client := server.Client()
	user, err := client.CreateUser(ctx, whozex.CreateUserParams{Email: "john@example.com"})
	if err != nil {
		return "", err
	}
	if _, err := client.AddBalance(ctx, user.ID, decimal.NewFromInt(50), "example"); err != nil {
		return "", err
	}
	pkg, err := client.PurchasePackage(ctx, user.ID, whozex.PurchasePackageParams{GB: 20})
	if err != nil {
		return "", err
	}
	return pkg.ID, server.UseGB(pkg.ID, decimal.NewFromInt(3))
}
