package redisguard_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/stretchr/testify/assert"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/redisguard"
	"github.com/whozex/whozex-go/whozextest"
)

var fiftyPerSecond = redis_rate.Limit{Rate: 50, Burst: 10, Period: time.Second}

// callInLoop calls the API as fast as the shared limit allows.
func callInLoop() error {
	limiter, err := redisguard.NewLimiter(redisFromEnv(), fiftyPerSecond, redisguard.FailClosed())
	if err != nil {
		return err
	}
	client, err := whozex.New(setting("KEY"), whozex.WithBaseURL(setting("URL")), whozex.WithLimiter(limiter),
		whozex.WithHTTPClient(&http.Client{Transport: limiter.Transport(nil)}))
	if err != nil {
		return err
	}
	if _, err := client.GetPricing(context.Background()); err != nil {
		return err
	}
	fmt.Println("calling")
	failed := make(chan error)
	for range 4 {
		go func() {
			for {
				if _, err := client.GetPricing(context.Background()); err != nil {
					failed <- err
				}
			}
		}()
	}
	return <-failed
}

// The test is not parallel because it measures a rate.
func TestLimiter_FourProcesses(t *testing.T) {
	const window = 10 * time.Second
	r := startRedis(t)
	api := whozextest.NewServer()
	defer api.Close()
	var mu sync.Mutex
	var arrivals []time.Time
	counting := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		mu.Lock()
		arrivals = append(arrivals, time.Now())
		mu.Unlock()
		api.ServeHTTP(w, req)
	}))
	defer counting.Close()

	var processes []*process
	for range 4 {
		processes = append(processes, spawn(t, r, "caller", map[string]string{"KEY": api.APIKey, "URL": counting.URL + "/v1"}))
	}
	for _, p := range processes {
		p.expectLine("calling")
	}
	// All processes are calling now, so the burst is used up.
	start := time.Now()
	end := start.Add(window + 1500*time.Millisecond)
	time.Sleep(time.Until(end)) // the rate is measured over this time
	for _, p := range processes {
		p.kill()
	}

	mu.Lock()
	defer mu.Unlock()
	lowest, highest := len(arrivals), 0
	for from := start; !from.Add(window).After(end); from = from.Add(50 * time.Millisecond) {
		n := 0
		for _, at := range arrivals {
			if !at.Before(from) && at.Before(from.Add(window)) {
				n++
			}
		}
		lowest, highest = min(lowest, n), max(highest, n)
	}
	t.Logf("%d to %d requests in any %s", lowest, highest, window)
	assert.GreaterOrEqual(t, lowest, 450)
	assert.LessOrEqual(t, highest, 525)
}
