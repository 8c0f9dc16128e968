package webhookverify

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"
)

// ReplayStore remembers which events were handled, by [Event.ID]. It works in
// three steps because one that marks an event before it is handled loses it when
// the handling fails. It must be safe for concurrent use.
type ReplayStore interface {
	// Begin claims id, or returns [ErrReplayed] if it was committed and
	// [ErrInProgress] if it was begun and neither committed nor aborted. After
	// any other error the event is not handled and the sender is told to come
	// again. A store that several processes share must let a claim lapse when
	// its process has died.
	Begin(ctx context.Context, id string) error
	// Commit remembers id as handled.
	Commit(ctx context.Context, id string) error
	// Abort gives up the claim, so that the next delivery is handled.
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
	handled map[string]time.Time // when they are to be forgotten
	order   list.List            // ids in handled, oldest first
}

// NewMemoryReplayStore returns a store that remembers events for ttl after they
// were handled, and max of them at most: the oldest is forgotten first, and never
// one that is being handled. Both must be positive; [New] refuses the store
// otherwise.
func NewMemoryReplayStore(ttl time.Duration, max int) *MemoryReplayStore {
	s := &MemoryReplayStore{ttl: ttl, max: max, running: map[string]struct{}{}, handled: map[string]time.Time{}}
	if ttl <= 0 || max <= 0 {
		s.invalid = fmt.Errorf("webhookverify: a replay store needs a positive time and size, not %s and %d", ttl, max)
	}
	return s
}

// Begin implements [ReplayStore]. When all that is remembered is being handled,
// it returns [ErrReplayStoreFull].
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
	if len(s.running)+len(s.handled) >= s.max && !s.forget() {
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
		s.forget()
	}
}

// forget drops the oldest handled event and reports whether there was one.
func (s *MemoryReplayStore) forget() bool {
	front := s.order.Front()
	if front == nil {
		return false
	}
	delete(s.handled, s.order.Remove(front).(string))
	return true
}
