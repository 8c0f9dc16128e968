package whozextest

type accountView struct {
	ID      string         `json:"id"`
	Name    string         `json:"name"`
	Email   string         `json:"email"`
	Balance money          `json:"balance"`
	IsVIP   bool           `json:"is_vip"`
	APIKey  keyView        `json:"api_key"`
	Stats   totalsView     `json:"stats"`
	Pricing accountPricing `json:"pricing"`
}

type keyView struct {
	LastUsedAt *string `json:"last_used_at"`
}

type totalsView struct {
	Packages   int   `json:"packages"`
	SubUsers   int   `json:"sub_users"`
	TotalSpent money `json:"total_spent"`
}

type accountPricing struct {
	CustomPricePerGB *money `json:"custom_price_per_gb"`
}

func (s *Server) getAccount(*call) (any, *failure) {
	v := accountView{
		ID: s.account.id, Name: s.account.name, Email: s.account.email,
		Balance: money(s.account.balance), IsVIP: s.settings.vip,
		Stats:   totalsView{Packages: len(s.packages), SubUsers: len(s.users.list), TotalSpent: money(s.ledger.spent)},
		Pricing: accountPricing{CustomPricePerGB: nullMoney(s.settings.custom)},
	}
	if !s.key.lastUsed.IsZero() {
		at := stamp(s.key.lastUsed)
		v.APIKey.LastUsedAt = &at
	}
	return v, nil
}

type newKeyView struct {
	APIKey string `json:"api_key"`
}

func (s *Server) regenerateKey(*call) (any, *failure) {
	s.key = apiKey{value: newAPIKey()}
	return newKeyView{APIKey: s.key.value}, nil
}
