package whozex

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"
)

// texts returns all texts and numbers of the entry, at any depth, except those of fields
// that never contain a note.
func (e entry) texts() []string {
	var texts []string
	for _, f := range e.fields {
		switch f.name {
		case "id", "type", "amount", "balance_after", "created_at":
			continue
		}
		texts = appendTexts(texts, f.value)
	}
	return texts
}

func appendTexts(texts []string, value json.RawMessage) []string {
	var nested any
	if json.Unmarshal(value, &nested) != nil {
		return texts
	}
	var collect func(any)
	collect = func(v any) {
		switch v := v.(type) {
		case string:
			texts = append(texts, v)
		case []any:
			for _, item := range v {
				collect(item)
			}
		case map[string]any:
			for name, item := range v {
				texts = append(texts, name)
				collect(item)
			}
		}
	}
	if text := textOf(value); text != "" {
		return append(texts, text)
	}
	collect(nested)
	return texts
}

// mentions reports whether any text of the entry contains text, whatever its case and
// spacing.
func (e entry) mentions(text string) bool {
	wanted := canonical(text)
	for _, t := range e.texts() {
		if strings.Contains(t, text) || wanted != "" && strings.Contains(canonical(t), wanted) {
			return true
		}
	}
	return false
}

// truncates reports whether any text of the entry may be text truncated, alone or after
// words of the server.
func (e entry) truncates(text string) bool {
	const least = 3 // letters that do not match by chance
	wanted := canonical(text)
	for _, t := range e.texts() {
		got := canonical(t)
		if got == "" {
			continue
		}
		if strings.HasPrefix(wanted, got) {
			return true
		}
		for n := least; n <= min(len(wanted), len(got)); n++ {
			if strings.HasSuffix(got, wanted[:n]) {
				return true
			}
		}
	}
	return false
}

// hasLettersOf reports whether any text of the entry contains the letters and digits of
// text in order, with anything in between: a space may have become "%20" or "&nbsp;".
func (e entry) hasLettersOf(text string) bool {
	wanted := []rune(canonical(text))
	for _, t := range e.texts() {
		found := 0
		for _, r := range canonical(t) {
			if found < len(wanted) && r == wanted[found] {
				found++
			}
		}
		if found == len(wanted) {
			return true
		}
	}
	return false
}

// canonical returns the letters and digits of a text in lower case.
func canonical(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, text)
}

// refersTo reports whether a text of the entry contains the id of another.
func (e entry) refersTo(id string) bool {
	for _, t := range e.texts() {
		for i := strings.Index(t, id); id != "" && i >= 0; i = strings.Index(t, id) {
			before, after := t[:i], t[i+len(id):]
			if !endsInWord(before) && !beginsWithWord(after) {
				return true
			}
			t = after
		}
	}
	return false
}

func endsInWord(t string) bool {
	r, _ := utf8.DecodeLastRuneInString(t)
	return unicode.IsLetter(r) || unicode.IsDigit(r)
}

func beginsWithWord(t string) bool {
	r, _ := utf8.DecodeRuneInString(t)
	return unicode.IsLetter(r) || unicode.IsDigit(r)
}
