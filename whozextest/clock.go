package whozextest

import "time"

const stampLayout = "2006-01-02T15:04:05.000Z"

func stamp(at time.Time) string { return at.UTC().Format(stampLayout) }

func (s *Server) now() time.Time { return s.settings.clock().UTC() }
