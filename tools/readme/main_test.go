package main

import (
	"strings"
	"testing"
)

func TestWrap(t *testing.T) {
	for _, tt := range []struct {
		name, code, file, begins string
	}{
		{name: "a program", code: "package main\n", file: "program1/main.go", begins: "package main"},
		{name: "a test", code: "func TestIt(t *testing.T) {}\n", file: "block1_test.go", begins: "package reader\n\nfunc TestIt"},
		{name: "declarations", code: "type a int\n\nfunc b() {}\n", file: "block1.go", begins: "package reader\n\ntype a"},
		{name: "a fragment", code: "fmt.Println(userID)\n", file: "block1.go",
			begins: "package reader\n\nfunc block1(err error, ctx context.Context, client *whozex.Client, userID string, packageID string) error {"},
		{name: "a fragment with a client of its own", code: "client, err := whozex.FromEnv()\n", file: "block1.go",
			begins: "package reader\n\nfunc block1(err error, ctx context.Context, userID string, packageID string) error {"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file, source := wrap(0, tt.code)
			if file != tt.file || !strings.HasPrefix(source, tt.begins) {
				t.Fatal(file, source)
			}
		})
	}
}
