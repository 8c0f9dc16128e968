package whozextest

import (
	"slices"
	"time"
)

// event is the body of a delivery.
type event struct {
	Event     string `json:"event"`
	Data      any    `json:"data"`
	Timestamp string `json:"timestamp"`
}

type packageCreatedData struct {
	UserID    string   `json:"user_id"`
	PackageID string   `json:"package_id"`
	GB        quantity `json:"gb"`
	Cost      money    `json:"cost"`
}

type lowGBData struct {
	UserID      string   `json:"user_id"`
	PackageID   string   `json:"package_id"`
	TotalGB     quantity `json:"total_gb"`
	RemainingGB quantity `json:"remaining_gb"`
}

type balanceAddedData struct {
	UserID      string `json:"user_id"`
	Amount      money  `json:"amount"`
	UserBalance money  `json:"user_balance"`
}

type userCreatedData struct {
	UserID string `json:"user_id"`
	Email  string `json:"email"`
	Name   string `json:"name"`
}

// emit queues an event for the webhooks that asked for it. The lock is held.
func (s *Server) emit(name string, data any) {
	at := s.now().Truncate(time.Millisecond)
	for _, hook := range s.webhooks {
		if s.closed || !hook.loopback && !s.settings.anywhere || !slices.Contains(hook.events, name) {
			continue
		}
		if s.pending == 0 {
			s.idle = make(chan struct{})
		}
		s.pending++
		hook.queue = append(hook.queue, event{Event: name, Data: data, Timestamp: stamp(at)})
		if !hook.running {
			hook.running = true
			s.running.Add(1)
			go s.deliverAll(hook)
		}
	}
}
