package e2e

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/whozextest"
)

const nginxConf = `
worker_processes 2;
pid {{dir}}/nginx.pid;
error_log {{dir}}/error.log;
events { worker_connections 512; }
http {
	access_log off;
	client_body_temp_path {{dir}}/body;
	proxy_temp_path {{dir}}/proxy;
	fastcgi_temp_path {{dir}}/fastcgi;
	uwsgi_temp_path {{dir}}/uwsgi;
	scgi_temp_path {{dir}}/scgi;
	upstream sandbox { server {{server}}; keepalive 16; }
	server {
		listen {{addr}} ssl http2;
		ssl_certificate {{dir}}/cert.pem;
		ssl_certificate_key {{dir}}/cert.pem;
		keepalive_requests 40;
		location / {
			proxy_pass http://sandbox;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
		}
	}
}
`

const haproxyConf = `
defaults
	mode http
	timeout connect 2s
	timeout client 10s
	timeout server 10s
	retries 3
	option redispatch
frontend tls
	bind {{addr}} ssl crt {{dir}}/cert.pem alpn h2,http/1.1
	default_backend sandbox
backend sandbox
	server one {{server}}
`

// middlebox is an installed proxy in front of the fake server.
type middlebox struct {
	program string
	config  string
	args    []string // the path of the configuration is appended
	reload  syscall.Signal

	addr string
	cmd  *exec.Cmd
}

var middleboxes = map[string]middlebox{
	"nginx":   {program: "nginx", config: nginxConf, args: []string{"-g", "daemon off;", "-c"}, reload: syscall.SIGHUP},
	"HAProxy": {program: "haproxy", config: haproxyConf, args: []string{"-W", "-db", "-f"}, reload: syscall.SIGUSR2},
}

func (m *middlebox) prepare(t *testing.T, server string) {
	t.Helper()
	if _, err := exec.LookPath(m.program); err != nil {
		require.Empty(t, os.Getenv("CI"), "CI installs %s", m.program)
		t.Skip(m.program + " is not installed")
	}
	dir := t.TempDir()
	cert := certificate.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	require.NoError(t, err)
	certAndKey := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})
	certAndKey = append(certAndKey, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "cert.pem"), certAndKey, 0o600))
	target, err := url.Parse(server)
	require.NoError(t, err)
	m.addr = freeAddress(t)
	config := strings.NewReplacer("{{dir}}", dir, "{{addr}}", m.addr, "{{server}}", target.Host).Replace(m.config)
	file := filepath.Join(dir, "conf")
	require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
	m.args = append(m.args, file)
	t.Cleanup(m.kill)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// start starts the proxy and waits until it accepts connections.
func (m *middlebox) start(t *testing.T) {
	m.cmd = exec.Command(m.program, m.args...)
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if !assert.NoError(t, m.cmd.Start()) {
		return
	}
	assert.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", m.addr)
		if err != nil {
			return false
		}
		_ = conn.Close()
		return true
	}, 10*time.Second, time.Millisecond, "%s does not listen", m.program)
}

// kill kills the proxy and its workers.
func (m *middlebox) kill() {
	if m.cmd != nil && m.cmd.Process != nil {
		_ = syscall.Kill(-m.cmd.Process.Pid, syscall.SIGKILL)
		_ = m.cmd.Wait()
	}
}

// The test makes purchases through nginx and HAProxy while they are reloaded and killed.
// Each purchase is for a different user, so that it can be found in the ledger.
func TestPurchases_ThroughProxies(t *testing.T) {
	http2Only := func() *http.Transport {
		transport := newTransport()
		transport.Protocols = new(http.Protocols)
		transport.Protocols.SetHTTP2(true)
		return transport
	}
	for name, box := range middleboxes {
		for transport, opts := range map[string]func() []whozex.Option{
			"default": func() []whozex.Option { return nil },
			"HTTP/2 only": func() []whozex.Option {
				return []whozex.Option{whozex.WithHTTPClient(&http.Client{Transport: http2Only()})}
			},
		} {
			t.Run(name+"/"+transport, func(t *testing.T) { testPurchasesThrough(t, box, opts()) })
		}
	}
}

func testPurchasesThrough(t *testing.T, box middlebox, opts []whozex.Option) {
	const purchases, workers, reloadEvery, killEvery = 600, 16, 30, 120
	server := whozextest.NewServer(whozextest.WithUsers(purchases), whozextest.WithLatency(5*time.Millisecond))
	defer server.Close()
	box.prepare(t, server.URL)
	box.start(t)
	client, err := whozex.New(server.APIKey, append([]whozex.Option{
		whozex.WithBaseURL("https://" + box.addr + "/v1"), whozex.WithTimeout(2 * time.Second),
		whozex.WithBackoff(50*time.Millisecond, time.Second), whozex.WithMaxRetries(5),
	}, opts...)...)
	require.NoError(t, err)
	defer client.CloseIdleConnections()
	users, err := whozex.Collect(client.AllUsers(t.Context(), whozex.ListUsersParams{}))
	require.NoError(t, err)
	for _, user := range users {
		require.NoError(t, server.SetUserBalance(user.ID, decimal.NewFromInt(100)))
	}

	finished := make(chan struct{}, purchases)
	errs := make([]error, purchases)
	var next atomic.Int64
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for n := next.Add(1) - 1; n < purchases; n = next.Add(1) - 1 {
				_, errs[n] = client.PurchasePackage(t.Context(), users[n].ID, whozex.PurchasePackageParams{GB: 2})
				finished <- struct{}{}
			}
		})
	}
	var reloads, kills int
	for n := 1; n < purchases; n++ {
		<-finished
		switch {
		case n%killEvery == 0:
			kills++
			box.kill()
			box.start(t)
		case n%reloadEvery == 0:
			reloads++
			assert.NoError(t, box.cmd.Process.Signal(box.reload))
		}
	}
	group.Wait()

	bought := map[string]int{}
	for _, entry := range server.Ledger() {
		if entry.PackageID != "" {
			bought[entry.From]++
		}
	}
	var succeeded, failed, unknown, unknownBought int
	for i, user := range users {
		count := bought[user.ID]
		assert.LessOrEqual(t, count, 1, "bought twice: %v", errs[i])
		switch {
		case errs[i] == nil:
			succeeded++
			assert.Equal(t, 1, count, "success without a purchase")
		case errors.Is(errs[i], whozex.ErrOutcomeUnknown):
			unknown++
			unknownBought += count
		default:
			failed++
			assert.Zero(t, count, "definite error, but a purchase was made: %v", errs[i])
		}
	}
	assert.Greater(t, succeeded, purchases/2)
	t.Logf("%s: %d purchases, %d reloads, %d kills: %d succeeded, %d failed, %d unknown, of which %d were made",
		box.program, purchases, reloads, kills, succeeded, failed, unknown, unknownBought)
}
