package whozextest

// event is the body of a delivery.
type event struct {
	Event     string `json:"event"`
	Data      any    `json:"data"`
	Timestamp string `json:"timestamp"`
}

type packageCreatedData struct {
	UserID    string   `json:"user_id"`
	PackageID string   `json:"package_id"`
	GB        quantity `json:"gb"`
	Cost      money    `json:"cost"`
}

type lowGBData struct {
	UserID      string   `json:"user_id"`
	PackageID   string   `json:"package_id"`
	TotalGB     quantity `json:"total_gb"`
	RemainingGB quantity `json:"remaining_gb"`
}

type balanceAddedData struct {
	UserID      string `json:"user_id"`
	Amount      money  `json:"amount"`
	UserBalance money  `json:"user_balance"`
}

type userCreatedData struct {
	UserID string `json:"user_id"`
	Email  string `json:"email"`
	Name   string `json:"name"`
}

// queued is an event on its way to a webhook, and where its end is reported.
type queued struct {
	event  event
	result chan<- error
}
