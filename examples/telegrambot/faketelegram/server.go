// Package faketelegram is as much of Telegram's Bot API, over real HTTP on
// loopback, as a bot needs that talks and has buttons.
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

// Message is what the bot has sent.
type Message struct {
	Chat    int64
	Text    string
	Buttons []models.InlineKeyboardButton
}

// Server stands in for Telegram.
type Server struct {
	// URL is where a bot finds it.
	URL string

	http   *httptest.Server
	token  string
	closed chan struct{}
	end    func()

	mu      sync.Mutex
	updates []models.Update
	sent    []Message
	news    chan struct{} // closed when anything has happened
	lastID  int64
	faults  []Fault
}

// Fault is how sending a message fails.
type Fault struct {
	// Chat is that of the messages that fail, Words a part of their text; with the
	// zero values all do.
	Chat  int64
	Words string
	// Times is how many messages fail; below 0 all do.
	Times int
	// Status and Description are the response, RetryAfter goes with a 429.
	Status, RetryAfter int
	Description        string
	// OnlyHTML spares messages without a parse mode.
	OnlyHTML bool
	// Stall does not answer at all.
	Stall bool
}

// Inject lets messages that are sent from now on meet the fault.
func (s *Server) Inject(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, f)
}

// fault finds the fault that a message meets.
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

// New starts a server for the bot with the token.
func New(token string) *Server {
	s := &Server{token: token, closed: make(chan struct{}), news: make(chan struct{}), lastID: 1000}
	s.end = sync.OnceFunc(func() { close(s.closed) })
	s.http = httptest.NewServer(s)
	s.URL = s.http.URL
	return s
}

// Close ends the server and whatever waits for it. It may be called again.
func (s *Server) Close() {
	s.end()
	s.http.Close()
}

func (s *Server) happened() {
	close(s.news)
	s.news = make(chan struct{})
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
	s.happened()
	return u
}

// Write has a user write text in a chat: a private one when chat is the user's
// own id, a group otherwise.
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

// Tap has a user press a button.
func (s *Server) Tap(user, chat int64, data string) models.Update {
	return s.add(models.Update{CallbackQuery: &models.CallbackQuery{
		ID: strconv.FormatInt(time.Now().UnixNano(), 10), From: models.User{ID: user}, Data: data,
		Message: models.MaybeInaccessibleMessage{Message: &models.Message{ID: 1, Date: int(time.Now().Unix()), Chat: models.Chat{ID: chat, Type: models.ChatTypePrivate}}},
	}})
}

// Again delivers an update once more, as Telegram does after a crash.
func (s *Server) Again(u models.Update) { s.add(u) }

// Sent returns what the bot has sent so far.
func (s *Server) Sent() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Message(nil), s.sent...)
}

// Next waits for the first message from the n-th on that is wanted.
func (s *Server) Next(ctx context.Context, n int, wanted func(Message) bool) (Message, error) {
	for {
		s.mu.Lock()
		news, sent := s.news, s.sent
		s.mu.Unlock()
		for _, m := range sent[min(n, len(sent)):] {
			if wanted(m) {
				return m, nil
			}
		}
		select {
		case <-news:
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
	// A request without parameters is an empty form.
	_ = r.ParseMultipartForm(1 << 20)
	var result any = true
	switch method {
	case "getMe":
		result = models.User{ID: 1, IsBot: true, FirstName: "Shop", Username: "shop_bot"}
	case "getUpdates":
		result = s.await(r)
	case "sendMessage":
		if f, met := s.fault(r); met {
			s.fail(w, r, f)
			return
		}
		result = s.keep(r)
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

// await returns the updates from the offset on, and waits for one.
func (s *Server) await(r *http.Request) []models.Update {
	offset, _ := strconv.ParseInt(r.FormValue("offset"), 10, 64)
	timeout, _ := strconv.Atoi(r.FormValue("timeout"))
	ended := time.After(time.Duration(timeout) * time.Second)
	for {
		s.mu.Lock()
		for len(s.updates) > 0 && s.updates[0].ID < offset {
			s.updates = s.updates[1:]
		}
		updates, news := append([]models.Update{}, s.updates...), s.news
		s.mu.Unlock()
		if len(updates) > 0 {
			return updates
		}
		select {
		case <-news:
		case <-ended:
			return updates
		case <-s.closed:
			return updates
		case <-r.Context().Done():
			return updates
		}
	}
}

func (s *Server) keep(r *http.Request) models.Message {
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
	s.happened()
	return models.Message{ID: len(s.sent), Date: int(time.Now().Unix()), Chat: models.Chat{ID: chat}, Text: m.Text}
}
