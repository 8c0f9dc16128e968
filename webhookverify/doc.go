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
// the body's HMAC-SHA256; the key is the webhook's secret, verbatim. The API
// documents no delivery id, no timestamp outside the body and no retry schedule.
// That is why [WithMaxAge] is off by default: it would reject an event redelivered
// after hours of downtime. It is also why [WithReplayStore] identifies an event by
// its body, unless you set [WithEventID].
//
// The signature covers the bytes as they arrived. If a framework reads, parses or
// decompresses the body, pass the raw bytes to [Verifier.ParseEvent], and the event
// to [Verifier.Once].
//
// Set ReadHeaderTimeout and ReadTimeout of your http.Server: without them a slow
// sender can hold its connection forever.
package webhookverify
