package webhookverify

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"
)

// ReplayStore remembers which events were handled, by [Event.ID], to skip
// duplicates. It works in three steps: a store that marked an event before it is
// handled would lose the event if the handling failed. It must be safe for concurrent
// use.
type ReplayStore interface {
	// Begin claims id. It returns [ErrReplayed] if id was committed, and
	// [ErrInProgress] if id was begun and neither committed nor aborted. After any
	// other error the event is not handled, and a 503 asks the sender to redeliver it.
	// A store shared by several processes must expire a claim whose process died.
	Begin(ctx context.Context, id string) error
	// Commit remembers id as handled.
	Commit(ctx context.Context, id string) error
	// Abort releases the claim, so that the next delivery is handled.
	Abort(ctx context.Context, id string) error
}

// MemoryReplayStore is a [ReplayStore] for one process. Make one with
// [NewMemoryReplayStore].
type MemoryReplayStore struct {
	ttl     time.Duration
	max     int
	invalid error

	mu      sync.Mutex
	running map[string]struct{}
	handled map[string]time.Time // id to expiry
	order   list.List            // ids in handled, oldest first
}

// NewMemoryReplayStore returns a store that remembers handled events for ttl, and at
// most max of them: it evicts the oldest first, and never one that is being handled.
// Both must be positive; otherwise [New] returns an error.
func NewMemoryReplayStore(ttl time.Duration, max int) *MemoryReplayStore {
	s := &MemoryReplayStore{ttl: ttl, max: max, running: map[string]struct{}{}, handled: map[string]time.Time{}}
	if ttl <= 0 || max <= 0 {
		s.invalid = fmt.Errorf("webhookverify: a replay store needs a positive ttl and max, not %s and %d", ttl, max)
	}
	return s
}

// Begin implements [ReplayStore]. It returns [ErrReplayStoreFull] when the store is
// full and all its events are being handled.
func (s *MemoryReplayStore) Begin(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.invalid != nil {
		return s.invalid
	}
	s.expire(time.Now())
	if _, ok := s.handled[id]; ok {
		return ErrReplayed
	}
	if _, ok := s.running[id]; ok {
		return ErrInProgress
	}
	if len(s.running)+len(s.handled) >= s.max && !s.evict() {
		return ErrReplayStoreFull
	}
	s.running[id] = struct{}{}
	return nil
}

// Commit implements [ReplayStore].
func (s *MemoryReplayStore) Commit(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.running[id]; !ok {
		return fmt.Errorf("webhookverify: %s was not begun", id)
	}
	delete(s.running, id)
	s.handled[id] = time.Now().Add(s.ttl)
	s.order.PushBack(id)
	return nil
}

// Abort implements [ReplayStore].
func (s *MemoryReplayStore) Abort(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, id)
	return nil
}

func (s *MemoryReplayStore) expire(now time.Time) {
	for front := s.order.Front(); front != nil && !now.Before(s.handled[front.Value.(string)]); front = s.order.Front() {
		s.evict()
	}
}

// evict drops the oldest handled event and reports whether there was one.
func (s *MemoryReplayStore) evict() bool {
	front := s.order.Front()
	if front == nil {
		return false
	}
	delete(s.handled, s.order.Remove(front).(string))
	return true
}
