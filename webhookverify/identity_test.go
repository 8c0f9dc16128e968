package webhookverify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/whozex/whozex-go/webhookverify"
)

// sharedStore is a store that other processes and versions share. It is not a
// [webhookverify.MemoryReplayStore], so former IDs are claimed too.
type sharedStore struct {
	webhookverify.ReplayStore
	fail func(step, id string) error
}

func newSharedStore() *sharedStore {
	return &sharedStore{ReplayStore: webhookverify.NewMemoryReplayStore(time.Hour, 100_000)}
}

func (s *sharedStore) Begin(ctx context.Context, id string) error {
	if s.fail != nil {
		if err := s.fail("begin", id); err != nil {
			return err
		}
	}
	return s.ReplayStore.Begin(ctx, id)
}

func (s *sharedStore) Commit(ctx context.Context, id string) error {
	if s.fail != nil {
		if err := s.fail("commit", id); err != nil {
			return err
		}
	}
	return s.ReplayStore.Commit(ctx, id)
}

// formerID returns the event's ID in versions before 0.2.0.
func formerID(body, secret string) string {
	return strings.TrimPrefix(webhookverify.Sign([]byte(body), secret), "sha256=")
}

func TestEventID_IndependentOfSecret(t *testing.T) {
	before := newVerifier(t)
	during, err := webhookverify.New("wxsec_next", webhookverify.WithPreviousSecret(secret))
	require.NoError(t, err)
	other, err := webhookverify.New("", webhookverify.WithSecrets(map[string]string{"WH-2": "wxsec_second_webhook"}))
	require.NoError(t, err)
	ids := map[string]bool{}
	for signer, v := range map[string]*webhookverify.Verifier{secret: before, "wxsec_next": during, "wxsec_second_webhook": other} {
		event, err := v.ParseEvent([]byte(created), webhookverify.Sign([]byte(created), signer))
		require.NoError(t, err)
		ids[event.ID] = true
	}
	event, err := during.ParseEvent([]byte(created), sign(created))
	require.NoError(t, err)
	ids[event.ID] = true
	assert.Len(t, ids, 1)
}

// deliver delivers an event to a replica and counts in handled whether it was handled.
func deliver(t require.TestingT, v *webhookverify.Verifier, body, signer string, handled map[string]int) error {
	event, err := v.ParseEvent([]byte(body), webhookverify.Sign([]byte(body), signer))
	require.NoError(t, err)
	return v.Once(context.Background(), event, func(_ context.Context, event *webhookverify.Event) error {
		handled[string(event.Body)]++
		return nil
	})
}

// TestReplayStore_MixedVersions delivers events in random order to replicas that hold
// the secrets of any step of a rotation, some of them of a former version.
func TestReplayStore_MixedVersions(t *testing.T) {
	secrets := []string{"wxsec_1", "wxsec_2", "wxsec_3"}
	rapid.Check(t, func(t *rapid.T) {
		store := newSharedStore()
		handled := map[string]int{}
		type replica struct {
			holds   []string
			deliver func(body, signer string) error
		}
		newReplica := func(label string) replica {
			at := rapid.IntRange(0, len(secrets)-2).Draw(t, label)
			current, previous := secrets[at+1], secrets[at]
			// During a rotation both replicas hold both secrets.
			if rapid.Bool().Draw(t, label+" is behind") {
				current, previous = previous, current
			}
			v, err := webhookverify.New(current, webhookverify.WithPreviousSecret(previous), webhookverify.WithReplayStore(store))
			require.NoError(t, err)
			return replica{[]string{current, previous}, func(body, signer string) error {
				return deliver(t, v, body, signer, handled)
			}}
		}
		former := replica{secrets[:2], func(body, _ string) error {
			id := formerID(body, secrets[1])
			switch err := store.Begin(context.Background(), id); {
			case errors.Is(err, webhookverify.ErrReplayed):
				return nil
			case err != nil:
				return err
			}
			handled[body]++
			return store.Commit(context.Background(), id)
		}}
		replicas := []replica{newReplica("first"), newReplica("second"), former}
		delivered := map[string]bool{}
		for range rapid.IntRange(1, 30).Draw(t, "deliveries") {
			body := fmt.Sprintf(`{"event":"x","data":{"n":%d}}`, rapid.IntRange(0, 5).Draw(t, "event"))
			to := rapid.SampledFrom(replicas).Draw(t, "replica")
			require.NoError(t, to.deliver(body, rapid.SampledFrom(to.holds).Draw(t, "signer")))
			delivered[body] = true
		}
		for body := range delivered {
			require.Equal(t, 1, handled[body], body)
		}
	})
}

func TestReplayStore_SameEventOfTwoWebhooks(t *testing.T) {
	two := map[string]string{"WH-1": "wxsec_1", "WH-2": "wxsec_2"}
	v, err := webhookverify.New("", webhookverify.WithSecrets(two), withMemoryStore())
	require.NoError(t, err)
	handled := map[string]int{}
	require.NoError(t, deliver(t, v, created, "wxsec_1", handled))
	require.NoError(t, deliver(t, v, created, "wxsec_2", handled))
	assert.Equal(t, map[string]int{created: 1}, handled)
}

func TestReplayStore_FormerIDs(t *testing.T) {
	for _, tt := range []struct {
		name    string
		opts    []webhookverify.Option
		handled int
	}{
		{"by default", nil, 0},
		{"its secret was rotated since", []webhookverify.Option{webhookverify.WithPreviousSecret(old)}, 0},
		{"its webhook has a name now", []webhookverify.Option{webhookverify.WithSecrets(map[string]string{"WH-1": old})}, 0},
		{"without former IDs", []webhookverify.Option{webhookverify.WithoutFormerIDs(), webhookverify.WithPreviousSecret(old)}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			signer := secret
			if tt.opts != nil {
				signer = old
			}
			store := newSharedStore()
			id := formerID(created, signer)
			require.NoError(t, store.Begin(t.Context(), id))
			v := newVerifier(t, append(tt.opts, webhookverify.WithReplayStore(store))...)
			handled := map[string]int{}
			if tt.handled == 0 {
				require.ErrorIs(t, deliver(t, v, created, signer, handled), webhookverify.ErrInProgress)
			}
			require.NoError(t, store.Commit(t.Context(), id))
			require.NoError(t, deliver(t, v, created, signer, handled))
			assert.Equal(t, tt.handled, handled[created])
		})
	}
}

func TestReplayStore_ClaimIsAtomic(t *testing.T) {
	broken := errors.New("the store is unreachable")
	store := newSharedStore()
	store.fail = func(step, id string) error {
		if !strings.HasPrefix(id, "v2:") {
			return broken
		}
		return nil
	}
	v := newVerifier(t, webhookverify.WithReplayStore(store))
	handled := map[string]int{}
	err := deliver(t, v, created, secret, handled)
	require.ErrorIs(t, err, broken)
	assert.Equal(t, 503, webhookverify.Status(err))
	assert.Empty(t, handled)
	store.fail = nil
	require.NoError(t, deliver(t, v, created, secret, handled), "its own ID was released")
	assert.Equal(t, 1, handled[created])
}

func TestWithEventID(t *testing.T) {
	byPackage := func(event *webhookverify.Event) string {
		var data struct {
			PackageID string `json:"package_id"`
		}
		if json.Unmarshal(event.Data, &data) != nil || data.PackageID == "" {
			return ""
		}
		return event.Name + " " + data.PackageID
	}
	store := newSharedStore()
	v := newVerifier(t, webhookverify.WithEventID(byPackage), webhookverify.WithReplayStore(store))
	handled := map[string]int{}
	first := `{"event":"package.created","data":{"package_id":"PKG-1"},"timestamp":"2025-01-01T12:00:00Z"}`
	repeated := `{"event":"package.created","data":{"package_id":"PKG-1"},"timestamp":"2025-01-01T12:05:00Z"}`
	require.NoError(t, deliver(t, v, first, secret, handled))
	require.NoError(t, deliver(t, v, repeated, secret, handled))
	assert.Equal(t, map[string]int{first: 1}, handled)
	assert.ErrorIs(t, store.Begin(t.Context(), "package.created PKG-1"), webhookverify.ErrReplayed)

	for _, body := range []string{`{"event":"x"}`, `{"event":"y"}`, `{"event":"x"}`} {
		require.NoError(t, deliver(t, v, body, secret, handled))
	}
	assert.Equal(t, 1, handled[`{"event":"x"}`], "without an ID the body counts")
	assert.Equal(t, 1, handled[`{"event":"y"}`])
	_, err := webhookverify.New(secret, webhookverify.WithEventID(nil))
	assert.ErrorContains(t, err, "function for event IDs is nil")
}

func TestOnce_EventWithoutID(t *testing.T) {
	v := newVerifier(t, withMemoryStore())
	handled := 0
	for _, body := range []string{"a", "b", "a"} {
		require.NoError(t, v.Once(t.Context(), &webhookverify.Event{Body: []byte(body)}, func(context.Context, *webhookverify.Event) error {
			handled++
			return nil
		}))
	}
	assert.Equal(t, 2, handled)
}
