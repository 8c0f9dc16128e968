package bench

import (
	"debug/buildinfo"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The test limits the binary size and the dependencies of a program that makes one call.
func TestSDK_LightBinary(t *testing.T) {
	build := func(name string) (path string, size int64) {
		path = filepath.Join(t.TempDir(), name)
		out, err := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "./binsize/"+name).CombinedOutput()
		require.NoError(t, err, string(out))
		info, err := os.Stat(path)
		require.NoError(t, err)
		return path, info.Size()
	}
	ours, size := build("whozex")
	_, plain := build("plain")
	ratio := float64(size) / float64(plain)

	info, err := buildinfo.ReadFile(ours)
	require.NoError(t, err)
	var modules []string
	for _, m := range info.Deps {
		if !strings.HasPrefix(m.Path, "github.com/whozex/") {
			modules = append(modules, m.Path)
		}
	}
	t.Logf("%.3f of the size with only the standard library (%d and %d bytes), %d modules: %s", ratio, size, plain, len(modules), strings.Join(modules, " "))
	assert.LessOrEqual(t, ratio, 1.12)
	assert.LessOrEqual(t, len(modules), 6)

	out, err := exec.Command("go", "list", "-deps", "./binsize/whozex").Output()
	require.NoError(t, err)
	packages := strings.Fields(string(out))
	for _, heavy := range []string{"text/template", "html/template", "testing", "net/http/httptest", "github.com/stretchr/testify/assert"} {
		assert.False(t, slices.Contains(packages, heavy), "%s is linked", heavy)
	}
}
