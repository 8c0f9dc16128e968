package whozextest

import "github.com/whozex/whozex-go"

const (
	actionAdd    = "add"
	actionDeduct = "deduct"
)

type balanceView struct {
	UserID          string `json:"user_id"`
	Action          string `json:"action"`
	Amount          money  `json:"amount"`
	UserBalance     money  `json:"user_balance"`
	ResellerBalance money  `json:"reseller_balance"`
}

func (s *Server) changeBalance(c *call) (any, *failure) {
	u := s.users.byID[c.id]
	if u == nil {
		return nil, notFound("User")
	}
	action, failed := c.requiredText("action")
	if failed != nil {
		return nil, failed
	}
	if action != actionAdd && action != actionDeduct {
		return nil, invalidParam("action must be add or deduct")
	}
	amount, failed := c.amount("amount")
	if failed != nil {
		return nil, failed
	}
	note, failed := c.text("note")
	if failed != nil {
		return nil, failed
	}
	entry := Entry{Request: c.seq, From: LedgerReseller, To: u.id, Amount: amount, Note: note}
	signed := amount
	if action == actionDeduct {
		if u.balance.LessThan(amount) {
			return nil, insufficient("User", u.balance, amount)
		}
		entry.From, entry.To, signed = u.id, LedgerReseller, amount.Neg()
	} else if s.account.balance.LessThan(amount) {
		return nil, insufficient("Reseller", s.account.balance, amount)
	}
	s.move(entry)
	s.history.add(transaction{kind: kindDeposit, amount: signed, after: u.balance, note: note, created: s.now()})
	if action == actionAdd {
		s.emit(whozex.EventBalanceAdded, balanceAddedData{UserID: u.id, Amount: money(amount), UserBalance: money(u.balance)})
	}
	return balanceView{
		UserID: u.id, Action: action, Amount: money(amount),
		UserBalance: money(u.balance), ResellerBalance: money(s.account.balance),
	}, nil
}
