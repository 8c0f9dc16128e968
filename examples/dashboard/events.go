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

// maxEvents is how many events the page shows, viewerBuffer how many a viewer may lag
// behind. A slower viewer misses events, and gets them when its stream reconnects.
const (
	maxEvents    = 40
	viewerBuffer = 64
)

// eventView is an event as the page shows it.
type eventView struct {
	Seq            int
	Name           string
	Text           template.HTML
	UserID, Person string
	At             time.Time
}

// hub sends events to all viewers.
type hub struct {
	mu      sync.Mutex
	seq     int
	recent  []eventView // newest first
	viewers map[chan eventView]bool
}

// newHub starts its sequence at the current time, so that events after a restart have
// higher numbers than those a page has already.
func newHub() *hub {
	return &hub{seq: int(time.Now().UnixMilli()), viewers: map[chan eventView]bool{}}
}

func (h *hub) publish(e eventView) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seq++
	e.Seq = h.seq
	h.recent = slices.Insert(h.recent, 0, e)[:min(maxEvents, len(h.recent)+1)]
	for viewer := range h.viewers {
		select {
		case viewer <- e:
		default:
		}
	}
}

// warn shows viewers a problem that they have to solve.
func (h *hub) warn(text string) {
	h.publish(eventView{Name: "warning", Text: phrase("%s", text), At: time.Now()})
}

// since lists events newer than seq, newest first.
func (h *hub) since(seq int) []eventView {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(h.recent), func(e eventView) bool { return e.Seq <= seq })
}

// join adds a viewer. Call it before since, so that no event falls between the two.
func (h *hub) join() (chan eventView, func()) {
	viewer := make(chan eventView, viewerBuffer)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.viewers[viewer] = true
	return viewer, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.viewers, viewer)
	}
}

// stream sends server-sent events, first those that the viewer's page does not have.
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
		_ = out.SetWriteDeadline(time.Now().Add(10 * time.Second)) // some writers do not support it
		_, err := fmt.Fprint(w, text)
		return err == nil && out.Flush() == nil
	}
	show := func(e eventView) bool {
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
			alive = send(": keep-alive\n\n")
		case <-r.Context().Done():
			alive = false
		}
	}
}

// listenFor makes /webhooks accept events signed with secret.
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
	e := eventView{Name: event.Name, At: event.Timestamp}
	if age := time.Since(e.At); age < -time.Hour || age > 366*24*time.Hour {
		e.At = time.Now() // no timestamp, or a wrong clock
	}
	if event.Name == whozex.EventPackageCreated {
		if err := d.once.HandleEvent(ctx, event); err != nil && !errors.Is(err, webhookverify.ErrMalformedEvent) {
			return err
		}
		var p whozex.PackageCreated
		if err := event.Decode(&p); err == nil && p.PackageID != "" {
			if err := d.catalog.add(knownPackage{ID: p.PackageID, UserID: p.UserID, GB: p.GB, Cost: p.Cost, CreatedAt: e.At}); err != nil {
				return err // the sender may redeliver
			}
		}
	}
	if err := d.setLevelByEvent(event, e.At); err != nil {
		return err
	}
	e.Text = describe(event)
	if e.UserID = d.ownerOf(event); e.UserID != "" {
		if err := d.store.keep(ctx, e.UserID, event, e.At); err != nil {
			return err // the sender may redeliver
		}
	}
	e.Person = d.userCache.get(e.UserID).Name
	d.hub.publish(e)
	return nil
}
