// Package faketelegram is a fake server for Telegram's Bot API, with messages and
// buttons.
package faketelegram

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-telegram/bot/models"
)

// Message is a message sent by the bot.
type Message struct {
	Chat    int64
	Text    string
	Buttons []models.InlineKeyboardButton
}

// Server is the fake server.
type Server struct {
	// URL is the base URL of the server.
	URL string

	http   *httptest.Server
	token  string
	closed chan struct{}
	stop   func() // closes closed once

	mu      sync.Mutex
	updates []models.Update
	sent    []Message
	changed chan struct{} // closed when updates or sent have changed
	lastID  int64
	faults  []Fault
}

// Fault makes messages fail.
type Fault struct {
	// Chat and Words select the messages by their chat and a part of their text.
	// The zero values select all.
	Chat  int64
	Words string
	// Times is the number of messages that fail. If it is negative, all fail.
	Times int
	// Status and Description are the response. RetryAfter, in seconds, is for a 429.
	Status, RetryAfter int
	Description        string
	// OnlyHTML selects only messages with a parse mode.
	OnlyHTML bool
	// Stall sends no response.
	Stall bool
}

// Inject adds a fault for messages that are sent from now on.
func (s *Server) Inject(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, f)
}

// fault returns the fault for a message, if there is one.
func (s *Server) fault(r *http.Request) (Fault, bool) {
	chat, _ := strconv.ParseInt(r.FormValue("chat_id"), 10, 64)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.faults {
		f := &s.faults[i]
		if f.Times != 0 && (f.Chat == 0 || f.Chat == chat) && strings.Contains(r.FormValue("text"), f.Words) && (!f.OnlyHTML || r.FormValue("parse_mode") != "") {
			f.Times--
			return *f, true
		}
	}
	return Fault{}, false
}

// New starts a server for a bot with the given token.
func New(token string) *Server {
	s := &Server{token: token, closed: make(chan struct{}), changed: make(chan struct{}), lastID: 1000}
	s.stop = sync.OnceFunc(func() { close(s.closed) })
	s.http = httptest.NewServer(s)
	s.URL = s.http.URL
	return s
}

// Close stops the server and ends pending requests. It may be called more than once.
func (s *Server) Close() {
	s.stop()
	s.http.Close()
}

func (s *Server) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *Server) add(u models.Update) models.Update {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastID++
	u.ID = s.lastID
	if u.Message != nil && u.Message.ID == 0 {
		u.Message.ID = int(s.lastID)
	}
	s.updates = append(s.updates, u)
	s.notify()
	return u
}

// Write sends a message of a user to the bot. The chat is private if its id is the
// user's, else it is a group.
func (s *Server) Write(user, chat int64, text string) models.Update {
	kind := models.ChatTypeSupergroup
	if user == chat {
		kind = models.ChatTypePrivate
	}
	return s.add(models.Update{Message: &models.Message{
		From: &models.User{ID: user, FirstName: fmt.Sprint("User ", user)}, Chat: models.Chat{ID: chat, Type: kind}, Text: text,
		Date: int(time.Now().Unix()),
	}})
}

// Tap sends a tap of a user on a button to the bot.
func (s *Server) Tap(user, chat int64, data string) models.Update {
	return s.add(models.Update{CallbackQuery: &models.CallbackQuery{
		ID: strconv.FormatInt(time.Now().UnixNano(), 10), From: models.User{ID: user}, Data: data,
		Message: models.MaybeInaccessibleMessage{Message: &models.Message{ID: 1, Date: int(time.Now().Unix()), Chat: models.Chat{ID: chat, Type: models.ChatTypePrivate}}},
	}})
}

// Redeliver delivers an update again, as Telegram does after a crash of the bot.
func (s *Server) Redeliver(u models.Update) { s.add(u) }

// Sent returns the messages that the bot has sent so far.
func (s *Server) Sent() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Message(nil), s.sent...)
}

// Next waits for a message that matches and returns it. It ignores the first n
// messages.
func (s *Server) Next(ctx context.Context, n int, match func(Message) bool) (Message, error) {
	for {
		s.mu.Lock()
		changed, sent := s.changed, s.sent
		s.mu.Unlock()
		for _, m := range sent[min(n, len(sent)):] {
			if match(m) {
				return m, nil
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Message{}, fmt.Errorf("no such message among %d: %w", len(sent), ctx.Err())
		}
	}
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	method, found := strings.CutPrefix(r.URL.Path, "/bot"+s.token+"/")
	if !found {
		w.WriteHeader(http.StatusUnauthorized)
		reply(w, map[string]any{"ok": false, "error_code": 401, "description": "Unauthorized"})
		return
	}
	// The error of a request without parameters does not matter.
	_ = r.ParseMultipartForm(1 << 20)
	var result any = true
	switch method {
	case "getMe":
		result = models.User{ID: 1, IsBot: true, FirstName: "Shop", Username: "shop_bot"}
	case "getUpdates":
		result = s.waitForUpdates(r)
	case "sendMessage":
		if f, ok := s.fault(r); ok {
			s.fail(w, r, f)
			return
		}
		result = s.storeMessage(r)
	}
	reply(w, map[string]any{"ok": true, "result": result})
}

func (s *Server) fail(w http.ResponseWriter, r *http.Request, f Fault) {
	if f.Stall {
		select {
		case <-r.Context().Done():
		case <-s.closed:
		}
		return
	}
	w.WriteHeader(f.Status)
	if f.Status >= http.StatusInternalServerError {
		_, _ = fmt.Fprint(w, "<html>Bad Gateway</html>")
		return
	}
	reply(w, map[string]any{"ok": false, "error_code": f.Status, "description": f.Description, "parameters": map[string]int{"retry_after": f.RetryAfter}})
}

func reply(w http.ResponseWriter, v any) { _ = json.NewEncoder(w).Encode(v) }

// waitForUpdates returns the updates from the offset on. It waits until there is one
// or the request's timeout is over.
func (s *Server) waitForUpdates(r *http.Request) []models.Update {
	offset, _ := strconv.ParseInt(r.FormValue("offset"), 10, 64)
	timeout, _ := strconv.Atoi(r.FormValue("timeout"))
	expired := time.After(time.Duration(timeout) * time.Second)
	for {
		s.mu.Lock()
		for len(s.updates) > 0 && s.updates[0].ID < offset {
			s.updates = s.updates[1:]
		}
		updates, changed := append([]models.Update{}, s.updates...), s.changed
		s.mu.Unlock()
		if len(updates) > 0 {
			return updates
		}
		select {
		case <-changed:
		case <-expired:
			return updates
		case <-s.closed:
			return updates
		case <-r.Context().Done():
			return updates
		}
	}
}

func (s *Server) storeMessage(r *http.Request) models.Message {
	chat, _ := strconv.ParseInt(r.FormValue("chat_id"), 10, 64)
	m := Message{Chat: chat, Text: r.FormValue("text")}
	var markup models.InlineKeyboardMarkup
	if json.Unmarshal([]byte(r.FormValue("reply_markup")), &markup) == nil {
		for _, row := range markup.InlineKeyboard {
			m.Buttons = append(m.Buttons, row...)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, m)
	s.notify()
	return models.Message{ID: len(s.sent), Date: int(time.Now().Unix()), Chat: models.Chat{ID: chat}, Text: m.Text}
}
