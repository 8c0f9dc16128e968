// Command readme builds and tests the Go code of the README and of the pages in docs, as
// their readers would: in a new module that requires only the SDK's modules and those
// that a page imports.
package main

import (
	"bytes"
	_ "embed"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/tools/imports"
)

const module = "github.com/whozex/whozex-go"

// prelude declares the functions that fragments call but do not show.
//
//go:embed prelude.go.txt
var prelude string

var block = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")

func main() {
	root := flag.String("root", "..", "the `folder` of the SDK and its README")
	flag.Parse()
	if err := run(*root); err != nil {
		fmt.Fprintln(os.Stderr, "readme:", err)
		os.Exit(1)
	}
}

func run(root string) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	blocks, err := blocksOf(root)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "readme")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()

	mod := "module example.com/reader\n\ngo 1.26\n"
	for _, part := range []string{"", "/idempotency", "/otelwhozex", "/redisguard"} {
		mod += fmt.Sprintf("\nrequire %s v0.1.0\n\nreplace %[1]s => %s\n", module+part, root+part)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o600); err != nil {
		return err
	}
	if err := write(dir, "prelude.go", "package reader\n\n"+prelude); err != nil {
		return err
	}
	for i, code := range blocks {
		name, source := wrap(i, code)
		if err := write(dir, name, source); err != nil {
			return fmt.Errorf("block %d: %w\n%s", i+1, err, code)
		}
	}
	for _, args := range [][]string{{"mod", "tidy"}, {"vet", "-unreachable=false", "./..."}, {"test", "./..."}} {
		cmd := exec.Command("go", args...)
		cmd.Dir, cmd.Stderr = dir, os.Stderr
		if out, err := cmd.Output(); err != nil {
			return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	fmt.Printf("readme: %d blocks of code build, and their tests pass\n", len(blocks))
	return nil
}

// blocksOf returns the Go code blocks of the README and of the pages, in order.
func blocksOf(root string) ([]string, error) {
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		return nil, err
	}
	var blocks []string
	for _, page := range append([]string{filepath.Join(root, "README.md")}, pages...) {
		text, err := os.ReadFile(page)
		if err != nil {
			return nil, err
		}
		for _, found := range block.FindAllSubmatch(text, -1) {
			blocks = append(blocks, string(found[1]))
		}
	}
	return blocks, nil
}

// wrap turns a block into a file. A block is a program, declarations, or the body of a
// function.
func wrap(i int, code string) (name, source string) {
	name = fmt.Sprintf("block%d.go", i+1)
	switch {
	case strings.HasPrefix(code, "package "):
		return filepath.Join(fmt.Sprintf("program%d", i+1), "main.go"), code
	case strings.HasPrefix(code, "func Test"):
		return fmt.Sprintf("block%d_test.go", i+1), "package reader\n\n" + code
	case strings.HasPrefix(code, "func "), strings.Contains(code, "\nfunc "):
		return name, "package reader\n\n" + code
	}
	return name, fmt.Sprintf("package reader\n\nfunc block%d(%s) error {\n%s\nreturn nil\n}\n", i+1, parameters(code), code)
}

// parameters returns the parameters of a fragment's function: the names that fragments
// use without declaring them, except those that this one declares.
func parameters(code string) string {
	given := []string{"err error"}
	for _, p := range []struct{ name, kind string }{
		{"ctx", "context.Context"}, {"client", "*whozex.Client"}, {"userID", "string"}, {"packageID", "string"},
	} {
		if !regexp.MustCompile(`(?m)^\s*(\w+, )*` + p.name + `(, \w+)* :=`).MatchString(code) {
			given = append(given, p.name+" "+p.kind)
		}
	}
	return strings.Join(given, ", ")
}

func write(dir, name, source string) error {
	path := filepath.Join(dir, name)
	done, err := imports.Process(path, bytes.TrimSpace([]byte(withSDK(source))), nil)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, done, 0o600)
}

// withSDK imports the SDK's packages, which goimports does not find by itself. goimports
// then removes the unused ones.
func withSDK(source string) string {
	if strings.Contains(source, "\nimport ") {
		return source
	}
	var b strings.Builder
	for _, path := range []string{
		module, module + "/webhookverify", module + "/whozextest", module + "/idempotency", module + "/idempotency/inbox",
		module + "/otelwhozex", module + "/redisguard", "github.com/redis/go-redis/v9", "github.com/go-redis/redis_rate/v10",
		"github.com/shopspring/decimal", "github.com/jarcoal/httpmock",
	} {
		fmt.Fprintf(&b, "import %q\n", path)
	}
	first, rest, _ := strings.Cut(source, "\n")
	return first + "\n\n" + b.String() + rest
}
