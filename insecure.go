package whozex

import (
	"net"
	"net/url"
)

// WithInsecureHTTP accepts plain http to any host, in [WithBaseURL] and in
// [CreateWebhookParams]. Anyone on the network can then read the API key and every
// password: use it only for a sandbox in another container, as with docker compose. A
// client that uses it logs a warning once.
func WithInsecureHTTP() Option {
	return func(s *settings) error {
		s.insecureHTTP = true
		return nil
	}
}

func (s *settings) checkScheme() error {
	switch {
	case secureOrLoopback(s.base):
		return nil
	case s.base.Scheme != "http" || !s.insecureHTTP:
		return invalid("base URL", "%q must be https (http is for loopback, or with WithInsecureHTTP)", s.base)
	case s.log != nil:
		s.log.insecure(s.base.String())
	}
	return nil
}

// mayReceive reports whether address may be registered for signed events.
func (s *settings) mayReceive(address *url.URL) bool {
	return secureOrLoopback(address) || s.insecureHTTP && address.Scheme == "http"
}

// secureOrLoopback reports whether address may carry a key or a signed event:
// https, or http that does not leave the machine.
func secureOrLoopback(address *url.URL) bool {
	switch address.Scheme {
	case "https":
		return true
	case "http":
		host := address.Hostname()
		return host == "localhost" || net.ParseIP(host).IsLoopback()
	}
	return false
}
