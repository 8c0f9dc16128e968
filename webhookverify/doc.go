// Package webhookverify receives the signed events of the Whozex Reseller API.
// It needs the standard library only, and no client.
//
//	verifier, err := webhookverify.New(os.Getenv("WHOZEX_WEBHOOK_SECRET"))
//	if err != nil {
//		return err
//	}
//	http.Handle("/webhooks", verifier.Handler(func(ctx context.Context, event *webhookverify.Event) error {
//		return store(ctx, event.Name, event.Data)
//	}))
//
// An event is a POST whose [SignatureHeader] is sha256= and the lowercase hex of
// the body's HMAC-SHA256; the key is the webhook's secret, to the letter. This
// is documented. Neither a delivery id, nor a time-stamp outside the body, nor
// when an event is sent again is. So [WithMaxAge] is off unless asked for: an
// event that comes again after hours of your being down would be lost to it. And
// so [WithReplayStore] tells deliveries apart by their body.
//
// The signature covers the bytes as they came. Where a framework has read or
// parsed the body already, hand its raw bytes to [Verifier.Verify].
//
// How long a sender may take is up to the server: set ReadHeaderTimeout and
// ReadTimeout of your http.Server, or a body that trickles in holds its
// connection for ever.
package webhookverify
