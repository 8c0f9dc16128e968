package webhookverify

import (
	"crypto/sha256"
	"encoding/hex"
)

// idVersion distinguishes these IDs from those of versions before 0.2.0, which a
// store may also hold. Those were the bare hex of the body's HMAC.
const idVersion = "v2:"

func (v *Verifier) identify(event *Event) string {
	if v.eventID != nil {
		if id := v.eventID(event); id != "" {
			return id
		}
	}
	sum := sha256.Sum256(event.Body)
	return idVersion + hex.EncodeToString(sum[:])
}

// claimIDs returns all IDs under which the event must be claimed, its own first.
func (v *Verifier) claimIDs(event *Event) []string {
	own := event.ID
	if own == "" {
		own = v.identify(event)
	}
	ids := []string{own}
	if _, memory := v.replays.(*MemoryReplayStore); memory || !v.formerIDs || v.eventID != nil {
		return ids
	}
	for _, k := range v.keys {
		// Former versions used the current secret, even if the previous one had signed.
		if k.webhook == event.Webhook {
			sum := authenticate(event.Body, k.secret)
			ids = append(ids, hex.EncodeToString(sum[:]))
		}
	}
	return ids
}
