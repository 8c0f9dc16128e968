package whozextest

import (
	"time"

	"github.com/shopspring/decimal"
)

const (
	kindDeposit  = "deposit"
	kindPurchase = "purchase"
	kindAddGB    = "add_gb"
)

type transaction struct {
	id, kind, note string
	amount, after  decimal.Decimal
	created        time.Time
}

// history keeps the transactions oldest first, all together and by type.
type history struct {
	all    []*transaction
	byKind map[string][]*transaction
}

func (h *history) add(t transaction) {
	t.id = newUUID()
	if h.byKind == nil {
		h.byKind = map[string][]*transaction{}
	}
	h.all = append(h.all, &t)
	h.byKind[t.kind] = append(h.byKind[t.kind], &t)
}

type transactionView struct {
	ID           string  `json:"id"`
	Type         string  `json:"type"`
	Amount       money   `json:"amount"`
	BalanceAfter money   `json:"balance_after"`
	Note         *string `json:"note"`
	CreatedAt    string  `json:"created_at"`
}

func (t *transaction) view() transactionView {
	v := transactionView{
		ID: t.id, Type: t.kind, Amount: money(t.amount), BalanceAfter: money(t.after), CreatedAt: stamp(t.created),
	}
	if t.note != "" {
		note := t.note
		v.Note = &note
	}
	return v
}

type transactionsPage struct {
	Transactions []transactionView `json:"transactions"`
	Pagination   pagination        `json:"pagination"`
}

func (s *Server) listTransactions(c *call) (any, *failure) {
	page, limit, failed := c.page()
	if failed != nil {
		return nil, failed
	}
	list := s.history.all
	if c.query.Has("type") {
		kind := c.query.Get("type")
		if kind != kindDeposit && kind != kindPurchase && kind != kindAddGB {
			return nil, invalidParam("type must be deposit, purchase or add_gb")
		}
		list = s.history.byKind[kind]
	}
	views, p := paginate(list, page, limit, (*transaction).view)
	return transactionsPage{Transactions: views, Pagination: p}, nil
}
