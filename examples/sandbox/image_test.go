package main

import (
	"bufio"
	"debug/elf"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

type service struct {
	Build struct {
		Context, Dockerfile string
		Args                map[string]string
	}
	Command     []string
	Environment map[string]string
}

// The test checks compose.yaml and its Dockerfile without Docker. It builds both
// programs with the RUN line, and starts them as the image's user, in an otherwise
// empty root directory, with the command and environment of each service. The client
// reaches the sandbox through an address that is not loopback.
func TestCompose_Services(t *testing.T) {
	text, err := os.ReadFile("compose.yaml")
	require.NoError(t, err)
	var compose struct{ Services map[string]service }
	require.NoError(t, yaml.Unmarshal(text, &compose))
	sandbox, client := compose.Services["sandbox"], compose.Services["doctor"]
	for _, s := range []service{sandbox, client} {
		assert.Equal(t, "../..", s.Build.Context)
		require.FileExists(t, filepath.Join(s.Build.Context, s.Build.Dockerfile))
	}
	const port = ":8787"
	address := localAddress(t)
	command := strings.ReplaceAll(strings.Join(sandbox.Command, " "), port, ":0")
	server := commandInImage(t, "sandbox", strings.Fields(command), nil)
	stdout, err := server.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, server.Start())
	defer func() {
		assert.NoError(t, server.Process.Signal(syscall.SIGTERM))
		assert.NoError(t, server.Wait())
	}()
	firstLine, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	listenPath := regexp.MustCompile(`:[0-9]+/v1`).FindString(firstLine)
	require.NotEmpty(t, listenPath, firstLine)

	var env []string
	for name, value := range client.Environment {
		env = append(env, name+"="+strings.Replace(value, "sandbox"+port+"/v1", address+listenPath, 1))
	}
	assert.Contains(t, env, "WHOZEX_BASE_URL=http://"+address+listenPath)
	out, err := commandInImage(t, client.Build.Args["PROGRAM"], client.Command, env).CombinedOutput()
	require.NoError(t, err, string(out))
	t.Logf("%s", out)
}

// commandInImage builds a program with the Dockerfile and returns the command that runs
// it as in its image.
func commandInImage(t *testing.T, program string, args, env []string) *exec.Cmd {
	t.Helper()
	text, err := os.ReadFile("Dockerfile")
	require.NoError(t, err)
	run := regexp.MustCompile(`(?m)^RUN (.*)$`).FindStringSubmatch(string(text))
	require.NotNil(t, run)
	assert.Regexp(t, `(?m)^USER 65532:65532$`, string(text))
	assert.Regexp(t, `(?m)^ENTRYPOINT \["/program"\]$`, string(text))
	root := t.TempDir()
	require.NoError(t, os.Chmod(root, 0o755))
	path := filepath.Join(root, "program")
	build := exec.CommandContext(t.Context(), "sh", "-c", strings.ReplaceAll(run[1], "/program", path))
	build.Dir, build.Env = "../..", append(os.Environ(), "PROGRAM="+program, "GOFLAGS=")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	built, err := elf.Open(path)
	require.NoError(t, err)
	defer built.Close()
	for _, part := range built.Progs {
		assert.NotEqual(t, elf.PT_INTERP, part.Type, "the program is dynamically linked, but the image has no libraries")
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Env, cmd.Dir = append([]string{}, env...), root
	if os.Getuid() == 0 {
		cmd.Path, cmd.Dir = "/program", "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	}
	return cmd
}

// localAddress returns an address of this machine that is not loopback, if there is
// one.
func localAddress(t *testing.T) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, a := range addresses {
		if network, ok := a.(*net.IPNet); ok && network.IP.To4() != nil && !network.IP.IsLoopback() {
			return network.IP.String()
		}
	}
	t.Log("the machine has no network: using loopback")
	return "127.0.0.1"
}
