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
// the body's HMAC-SHA256; the key is the webhook's secret, verbatim. This is
// documented. Neither a delivery id, nor a timestamp outside the body, nor a
// schedule of redelivery is. So [WithMaxAge] is off by default: an event that is
// redelivered after hours of your downtime would be lost to it. And so
// [WithReplayStore] tells events apart by their body, unless [WithEventID] says
// otherwise.
//
// The signature covers the bytes as they arrived. Where a framework has read,
// parsed or decompressed the body, hand its raw bytes to [Verifier.ParseEvent],
// and the event to [Verifier.Once].
//
// How long a sender may take is up to the server: set ReadHeaderTimeout and
// ReadTimeout of your http.Server, or a body that trickles in holds its
// connection forever.
package webhookverify
