package whozextest

import (
	"encoding/json"
	"net/url"
	"strings"
)

const (
	maxWebhooks = 10
	webhookNote = "Save the secret — it will not be shown again."
)

type webhook struct {
	id, url, secret string
	events          []string
	loopback        bool
	queue           []queued
	running         bool
}

type webhookView struct {
	ID     string   `json:"id"`
	URL    string   `json:"url"`
	Events []string `json:"events"`
	Secret string   `json:"secret"`
	Note   string   `json:"note"`
}

func (s *Server) createWebhook(c *call) (any, *failure) {
	address, failed := c.requiredText("url")
	if failed != nil {
		return nil, failed
	}
	target, err := url.Parse(address)
	plain := err == nil && target.Scheme == "http" && (s.settings.anywhere || isLoopback(target.Hostname()))
	if err != nil || target.Hostname() == "" || target.Scheme != "https" && !plain {
		return nil, invalidParam("url must be an HTTPS address")
	}
	names, failed := c.eventNames()
	if failed != nil {
		return nil, failed
	}
	if len(s.webhooks) >= maxWebhooks {
		return nil, invalidParam("at most %d webhooks are allowed", maxWebhooks)
	}
	hook := &webhook{
		id: newWebhookID(), url: address, secret: newWebhookSecret(), events: names, loopback: isLoopback(target.Hostname()),
	}
	s.webhooks = append(s.webhooks, hook)
	return webhookView{ID: hook.id, URL: hook.url, Events: names, Secret: hook.secret, Note: webhookNote}, nil
}

func (c *call) eventNames() ([]string, *failure) {
	if !c.has("events") {
		return nil, missingField("events")
	}
	var names []string
	if json.Unmarshal(c.fields["events"], &names) != nil || len(names) == 0 {
		return nil, invalidParam("events must be an array of names that is not empty")
	}
	for _, name := range names {
		if strings.TrimSpace(name) == "" {
			return nil, invalidParam("events holds an empty name")
		}
	}
	return names, nil
}
