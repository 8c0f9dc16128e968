package webhookverify

import (
	"crypto/sha256"
	"encoding/hex"
)

// idVersion tells IDs of this form from those of other versions, which a store may
// hold beside them. Up to 0.1 an ID was the bare hex of the body's HMAC.
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

// identities are all under which the event must be claimed, first its own.
func (v *Verifier) identities(event *Event) []string {
	own := event.ID
	if own == "" {
		own = v.identify(event)
	}
	ids := []string{own}
	if _, memory := v.replays.(*MemoryReplayStore); memory || !v.formerIDs || v.eventID != nil {
		return ids
	}
	for _, k := range v.keys {
		// Former versions used the secret that was current, whichever had signed.
		if k.webhook == event.Webhook {
			sum := authenticate(event.Body, k.secret)
			ids = append(ids, hex.EncodeToString(sum[:]))
		}
	}
	return ids
}
