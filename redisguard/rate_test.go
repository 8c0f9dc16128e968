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

var fifty = redis_rate.Limit{Rate: 50, Burst: 10, Period: time.Second}

// callAway calls as fast as the shared limit lets it.
func callAway() error {
	limiter, err := redisguard.NewLimiter(ownRedis(), fifty, redisguard.FailClosed())
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

// Not parallel: it measures time, on as many processors as there are.
func TestFourProcessesUnderOneLimit(t *testing.T) {
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
		p.says("calling")
	}
	// All are at it, so the burst is spent.
	began := time.Now()
	end := began.Add(window + 1500*time.Millisecond)
	time.Sleep(time.Until(end))
	for _, p := range processes {
		p.kill()
	}

	mu.Lock()
	defer mu.Unlock()
	least, most := len(arrivals), 0
	for from := began; !from.Add(window).After(end); from = from.Add(50 * time.Millisecond) {
		n := 0
		for _, at := range arrivals {
			if !at.Before(from) && at.Before(from.Add(window)) {
				n++
			}
		}
		least, most = min(least, n), max(most, n)
	}
	t.Logf("%d to %d requests in any %s", least, most, window)
	assert.GreaterOrEqual(t, least, 450)
	assert.LessOrEqual(t, most, 525)
}
