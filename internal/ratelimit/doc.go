// Package ratelimit keeps a client within a rate limit that it may not know.
//
// # What the server reports
//
// A server that reports its limit with each response, a [Quota], is believed
// within bounds: requests are spaced to its average rate, less 3% of headroom,
// and so that what remains lasts until the reset. Before anything is known the
// first request goes alone, so that its response governs the others.
//
// # What refusals teach
//
// Without reports nothing is spaced until a request is refused. Then all pause for
// as long as the refusal asks, and the rate after it follows CUBIC, the congestion
// control of TCP (RFC 9438) that the adaptive retry mode of the AWS SDKs uses for
// request rates too. Its curve rises from just below a plateau, rests at it, and
// then looks for more, slowly at first. It is, of a request rate, a curve of the
// logarithm: at the time u, -1 at the end of the pause, 0 at the plateau,
//
//	rate = plateau * 0.97^(-u^3) before it, plateau * 1.15^(u^3) after it
//
// so a limit four times as high is found as soon at 5 requests a second as at 500.
// Three things differ from TCP's, because a rate limit differs from a full queue:
//
//   - The plateau is not the rate that was sent but 99% of the rate that was
//     allowed. A server admits bursts, so what was sent says little; but in any
//     stretch of time it admits at most a burst and what it has refilled meanwhile,
//     which bounds the refill from below, exactly if the burst was whole at the
//     beginning of the stretch and spent at its end. A server that counts in windows
//     allows more than that: the plateau is at least halfway to half of the rate
//     that was sent.
//   - A refusal costs a pause, so the way to the plateau is 8 pauses.
//   - A refusal on the way to the plateau means that the limit is lower than it
//     was or that others use it too. The rate then falls to half and its square
//     root, but by a tenth at least and by three tenths, as in RFC 9438, at most,
//     and the plateau is 4 pauses away: of clients with one limit the faster loses
//     more (D. Bansal and H. Balakrishnan, Binomial Congestion Control Algorithms,
//     INFOCOM 2001).
//
// After the first refusal the rate is sought as in TCP's slow start: it doubles
// every 0.4 seconds until the next one, or ten times in a pause where that is
// longer. A limit whose rate has grown 65,536 times without a refusal is gone, and
// nothing is spaced any more.
//
// docs/ratelimit.md has what simpler laws came to in the same simulation.
//
// The package knows nothing of HTTP, and takes its clock from its caller.
package ratelimit
