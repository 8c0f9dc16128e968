package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/whozex/whozex-go"
	"github.com/whozex/whozex-go/webhookverify"
)

// kept is how many events the page shows; a slow viewer misses what exceeds
// waiting, and reads it from the page when its stream begins anew.
const (
	kept    = 40
	waiting = 64
)

// happening is an event as the page shows it.
type happening struct {
	Seq            int
	Name           string
	Text           template.HTML
	UserID, Person string
	At             time.Time
}

// hub hands events to everyone who looks on.
type hub struct {
	mu      sync.Mutex
	seq     int
	recent  []happening // newest first
	viewers map[chan happening]bool
}

// newHub counts on from the time, so that a page that was open over a restart
// takes new events for new.
func newHub() *hub {
	return &hub{seq: int(time.Now().UnixMilli()), viewers: map[chan happening]bool{}}
}

func (h *hub) publish(e happening) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seq++
	e.Seq = h.seq
	h.recent = slices.Insert(h.recent, 0, e)[:min(kept, len(h.recent)+1)]
	for viewer := range h.viewers {
		select {
		case viewer <- e:
		default:
		}
	}
}

// warn shows what only the one at the page can mend.
func (h *hub) warn(text string) {
	h.publish(happening{Name: "warning", Text: phrase("%s", text), At: time.Now()})
}

// since lists events newer than seq, newest first.
func (h *hub) since(seq int) []happening {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(h.recent), func(e happening) bool { return e.Seq <= seq })
}

// join before since leaves no gap between the two.
func (h *hub) join() (chan happening, func()) {
	viewer := make(chan happening, waiting)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.viewers[viewer] = true
	return viewer, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.viewers, viewer)
	}
}

// stream sends server-sent events: first what the viewer's page lacks.
func (d *dashboard) stream(w http.ResponseWriter, r *http.Request) {
	last, err := strconv.Atoi(r.Header.Get("Last-Event-ID"))
	if err != nil {
		last, _ = strconv.Atoi(r.FormValue("since"))
	}
	viewer, leave := d.hub.join()
	defer leave()
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	send := func(text string) bool {
		_ = out.SetWriteDeadline(time.Now().Add(10 * time.Second)) // not every writer has one
		_, err := fmt.Fprint(w, text)
		return err == nil && out.Flush() == nil
	}
	show := func(e happening) bool {
		if e.Seq <= last {
			return true
		}
		last = e.Seq
		var html bytes.Buffer
		if d.pages.ExecuteTemplate(&html, "event", e) != nil {
			return false
		}
		return send(fmt.Sprintf("id: %d\ndata: %s\n\n", e.Seq, strings.Join(strings.Fields(html.String()), " ")))
	}
	if !send("retry: 2000\n\n") {
		return
	}
	for _, e := range slices.Backward(d.hub.since(last)) {
		if !show(e) {
			return
		}
	}
	beat := time.NewTicker(20 * time.Second)
	defer beat.Stop()
	for alive := true; alive; {
		select {
		case e := <-viewer:
			alive = show(e)
		case <-beat.C:
			alive = send(": still here\n\n")
		case <-r.Context().Done():
			alive = false
		}
	}
}

// listenFor makes /webhooks take events that are signed with secret.
func (d *dashboard) listenFor(secret string) error {
	v, err := webhookverify.New(secret, webhookverify.WithReplayStore(webhookverify.NewMemoryReplayStore(24*time.Hour, 10_000)))
	if err == nil {
		d.verifier.Store(v)
	}
	return err
}

func (d *dashboard) webhook(w http.ResponseWriter, r *http.Request) {
	v := d.verifier.Load()
	if v == nil {
		http.Error(w, "no secret to verify events with: set WHOZEX_WEBHOOK_SECRET", http.StatusServiceUnavailable)
		return
	}
	v.Handler(d.receive).ServeHTTP(w, r)
}

func (d *dashboard) receive(ctx context.Context, event *webhookverify.Event) error {
	e := happening{Name: event.Name, At: event.Timestamp}
	if age := time.Since(e.At); age < -time.Hour || age > 366*24*time.Hour {
		e.At = time.Now() // no timestamp, or one of a clock that is far off
	}
	if event.Name == whozex.EventPackageCreated {
		if err := d.once.HandleEvent(ctx, event); err != nil && !errors.Is(err, webhookverify.ErrMalformedEvent) {
			return err
		}
		var p whozex.PackageCreated
		if err := event.Decode(&p); err == nil && p.PackageID != "" {
			if err := d.shelf.add(known{ID: p.PackageID, UserID: p.UserID, GB: p.GB, Cost: p.Cost, CreatedAt: e.At}); err != nil {
				return err // the sender may come again
			}
		}
	}
	if err := d.heard(event, e.At); err != nil {
		return err
	}
	e.Text = describe(event)
	if e.UserID = d.ownerOf(event); e.UserID != "" {
		if err := d.store.keep(ctx, e.UserID, event, e.At); err != nil {
			return err // the sender may come again
		}
	}
	e.Person = d.people.get(e.UserID).Name
	d.hub.publish(e)
	return nil
}
