// Command doctor compares the responses of the API with the types of this SDK, and
// prints the differences by name and type, without values.
//
// With WHOZEX_API_KEY it calls the live API, else a fake server that it starts
// itself. It makes only reading calls. With -operation and -answer it reads a stored
// response of a mutating call instead.
//
// The exit status is 0 if nothing documented differs, 1 if something does, and 2 if a
// call failed.
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
	packageID := flags.String("package", "", "`id` of one of your packages, to check the calls about packages")
	asJSON := flags.Bool("json", false, "print JSON")
	file := flags.String("report", "", "write names and types, without values, to `file`")
	operation := flags.String("operation", "", "mutating `operation` of -answer, such as PurchasePackage")
	stored := flags.String("answer", "", "read the body of a response from `file` instead of calling the API")
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
		client, id, closeServer, err := open(ctx, *packageID)
		if err != nil {
			return fail(err)
		}
		defer closeServer()
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
	printReport := r.print
	if *asJSON {
		printReport = func(out io.Writer) error {
			encoder := json.NewEncoder(out)
			encoder.SetIndent("", "  ")
			return encoder.Encode(r)
		}
	}
	if err := printReport(stdout); err != nil {
		return fail(err)
	}
	return r.exitCode()
}

// open returns a client that can only read, for the live API or for a fake server with
// some data.
func open(ctx context.Context, packageID string) (client *whozex.Client, id string, closeServer func(), err error) {
	readOnly := whozex.WithHTTPClient(&http.Client{Transport: readOnlyTransport{http.DefaultTransport}})
	if os.Getenv("WHOZEX_API_KEY") != "" {
		client, err = whozex.FromEnv(readOnly)
		return client, packageID, func() {}, err
	}
	server := whozextest.NewServer()
	if packageID == "" {
		if packageID, err = addData(ctx, server); err != nil {
			server.Close()
			return nil, "", nil, err
		}
	}
	return server.Client(readOnly), packageID, server.Close, nil
}

// readOnlyTransport returns an error for all requests except GET.
type readOnlyTransport struct{ next http.RoundTripper }

func (r readOnlyTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet {
		return nil, fmt.Errorf("doctor does not send %s requests", req.Method)
	}
	return r.next.RoundTrip(req)
}

// addData adds a user, transactions and a package to a fake server.
func addData(ctx context.Context, server *whozextest.Server) (packageID string, err error) {
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
