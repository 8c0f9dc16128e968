package whozex_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/internal/shape"
)

var update = flag.Bool("update", false, "write docs/api-coverage.md")

// TestCoverage_IsUpToDate compares docs/api-coverage.md with the types and the methods'
// comments.
func TestCoverage_IsUpToDate(t *testing.T) {
	const file = "docs/api-coverage.md"
	want := coverage(t)
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(want), 0o600))
	}
	got, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, want, string(got), "go test -run Coverage -update . writes it")
}

// TestCoverage_PackageDoc compares the table in doc.go with the types, and checks that no
// other comment repeats it.
func TestCoverage_PackageDoc(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	require.NoError(t, err)
	rows := map[string][]string{} // by the row's first cell
	for line := range strings.Lines(file.Doc.Text()) {
		if cells := columns.Split(strings.TrimSpace(line), -1); strings.HasPrefix(line, "\t") && len(cells) > 1 {
			rows[cells[0]] = append(cells[1:], "")
		}
	}
	for _, op := range operations {
		method, found := reflect.TypeFor[*whozex.Client]().MethodByName(string(op.op))
		require.True(t, found, op.op)
		row := rows[string(op.op)]
		require.NotNil(t, row, "no row for %s", op.op)
		var documented, inferred []string
		for _, field := range shape.Fields(method.Type.Out(0).Elem(), string(op.op)) {
			if name := field.Path; field.Inferred {
				inferred = append(inferred, name)
			} else if !strings.ContainsAny(name, ".[") {
				documented = append(documented, name)
			}
		}
		switch {
		case len(inferred) == 0:
			assert.Equal(t, "all fields", row[0], op.op)
		case len(documented) == 0:
			assert.Contains(t, row[0], "purpose", op.op)
		default:
			assert.Equal(t, strings.Join(documented, ", "), row[0], op.op)
		}
		assert.Equal(t, len(inferred) > 0, strings.Contains(row[1], "field"), "%s: %s", op.op, row[1])
	}
	sources, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, name := range sources {
		if name == "doc.go" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		require.NoError(t, err)
		for _, comment := range source.Comments {
			assert.NotContains(t, strings.ToLower(comment.Text()), "inferred", "%s: the table in doc.go says it", name)
		}
	}
}

var columns = regexp.MustCompile(`\s{2,}`)

// routeLine is the line of a method's comment that names the endpoint.
var routeLine = regexp.MustCompile(`(?m)^(GET|POST) (/\S+)$`)

func coverage(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(`# API coverage

Every endpoint and every field of its response, as this SDK decodes it. *Documented*
means that the API's page names it, *inferred* that the page promises the content
and its name is not known; ` + "`go -C examples run ./doctor`" + ` compares the live API's responses.
Written from the types by ` + "`go test -run Coverage -update .`" + `.
`)
	comments := methodComments(t)
	client := reflect.TypeFor[*whozex.Client]()
	routes := map[string]bool{}
	for _, op := range operations {
		method, found := client.MethodByName(string(op.op))
		require.True(t, found, op.op)
		line := routeLine.FindStringSubmatch(comments[string(op.op)])
		require.NotNil(t, line, "%s names no route in its comment", op.op)
		routes[line[1]+" "+line[2]] = true
		assert.Equal(t, op.method, line[1])
		assert.True(t, fits(line[2], op.uri), "%s is sent to %s", line[2], op.uri)
		fmt.Fprintf(&b, "\n## %s\n\n`%s %s`\n", op.op, line[1], line[2])
		for i := range method.Type.NumIn() {
			if params := method.Type.In(i); params.Kind() == reflect.Struct && params.PkgPath() == client.Elem().PkgPath() {
				fmt.Fprintf(&b, "\nParameters: %s.\n", parameters(params))
			}
		}
		b.WriteString("\n| field | type | |\n|---|---|---|\n")
		for _, field := range shape.Fields(method.Type.Out(0).Elem(), string(op.op)) {
			kind, known := field.Type, "documented"
			if field.Null {
				kind += " or null"
			}
			if field.Inferred {
				known = "inferred"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", field.Path, kind, known)
		}
	}
	assert.Len(t, routes, 16, "the API has 16 routes")
	return b.String()
}

// fits reports whether uri is an instance of the route's template.
func fits(template, uri string) bool {
	pattern := regexp.MustCompile(`\\\{\w+\\\}`).ReplaceAllString(regexp.QuoteMeta(template), `[^/]+`)
	return regexp.MustCompile(`^/v1` + pattern + `(\?.*)?$`).MatchString(uri)
}

// parameters lists the parameter names of a struct's fields.
func parameters(t reflect.Type) string {
	var names []string
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			name = strings.ToLower(f.Name)
		}
		names = append(names, "`"+name+"`")
	}
	return strings.Join(names, ", ")
}

// methodComments are the comments of the client's methods, by name.
func methodComments(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	set := token.NewFileSet()
	var parsed []*ast.File
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(set, file, nil, parser.ParseComments)
		require.NoError(t, err)
		parsed = append(parsed, f)
	}
	pkg, err := doc.NewFromFiles(set, parsed, "github.com/whozex/whozex-go")
	require.NoError(t, err)
	comments := map[string]string{}
	for _, typ := range pkg.Types {
		if typ.Name == "Client" {
			for _, method := range typ.Methods {
				comments[method.Name] = method.Doc
			}
		}
	}
	return comments
}
