package webhookverify_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/whozex/whozex-go/webhookverify"
)

func ExampleVerify() {
	body := []byte(`{"event":"package.created"}`)
	signature := webhookverify.Sign(body, "wxsec_example")
	fmt.Println(webhookverify.Verify(body, signature, "wxsec_example"))
	fmt.Println(webhookverify.Verify(body, signature, "wxsec_other"))
	// Output:
	// <nil>
	// webhookverify: signature mismatch
}

func ExampleVerifier_Handler() {
	verifier, err := webhookverify.New("wxsec_example",
		webhookverify.WithReplayStore(webhookverify.NewMemoryReplayStore(24*time.Hour, 100_000)),
		webhookverify.WithErrorHandler(func(r *http.Request, err error) { log.Println(r.RemoteAddr, err) }))
	if err != nil {
		log.Fatal(err)
	}
	handler := verifier.Handler(func(_ context.Context, event *webhookverify.Event) error {
		var data struct {
			PackageID string `json:"package_id"`
		}
		if err := event.Decode(&data); err != nil {
			return err
		}
		fmt.Println(event.Name, data.PackageID)
		return nil
	})

	body := `{"event":"package.created","data":{"package_id":"PKG-A1B2C3"}}`
	request := httptest.NewRequest("POST", "/webhooks", strings.NewReader(body))
	request.Header.Set(webhookverify.SignatureHeader, webhookverify.Sign([]byte(body), "wxsec_example"))
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, request)
	fmt.Println(answer.Code)
	// Output:
	// package.created PKG-A1B2C3
	// 200
}
