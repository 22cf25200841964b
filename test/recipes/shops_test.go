package recipes_test

import (
	"fmt"
	"net/http"
	"testing"
)

// shops are the plays of what lists customers, orders and invoices.
var shops = map[string]play{
	"mailchimp": {
		env:     []string{"MAILCHIMP_URL=API", "MAILCHIMP_KEY=hidden-key-us6", "MAILCHIMP_LIST=91a2bc4140"},
		refuse:  all(basic("deltahook", "hidden-key-us6"), path("/3.0/lists/91a2bc4140/members")),
		further: has("offset", "0"),
		steps: []step{
			{answer: members("members_seq_1.json")},
			{answer: members("members_seq_1b_last_changed_noise.json")},
			{answer: text(http.StatusTooManyRequests, `{"title":"Too Many Requests"}`)},
			{
				answer: members("members_seq_2_unsubscribed.json"),
				told:   []string{"member.unsubscribed 3b2c6602895ae53a5f677fe4835ca92f status:subscribed->unsubscribed"},
			},
		},
	},
	"hubspot": {
		env:     []string{"HUBSPOT_URL=API", "HUBSPOT_TOKEN=hidden-token"},
		refuse:  all(header("Authorization", "Bearer hidden-token"), path("/crm/v3/objects/contacts/search")),
		further: func(r *http.Request) bool { return sent(r, "after") != "0" },
		steps: []step{
			{answer: optouts(`{"id":"101","properties":{"email":"ann@example.com"}}`, `{"id":"102","properties":{"email":"bob@example.com"}}`)},
			{
				answer: optouts(`{"id":"101","properties":{"email":"ann@example.com"}}`, `{"id":"103","properties":{"email":"eve@example.com"}}`),
				told:   []string{"contact.unsubscribed 103"},
			},
			{
				answer: optouts(`{"id":"101","properties":{"email":"ann@example.com"}}`, `{"id":"103","properties":{"email":"eve@example.com"}}`),
				told:   []string{"contact.resubscribed 102"},
			},
		},
	},
	"stripe-subscriptions": {
		env:     []string{"STRIPE_URL=API", "STRIPE_KEY=hidden-key"},
		refuse:  all(header("Authorization", "Bearer hidden-key"), path("/v1/subscriptions")),
		further: has("starting_after", ""),
		steps: []step{
			{answer: subscriptions("active")},
			{answer: subscriptions("active")},
			{answer: subscriptions("past_due"), told: []string{"subscription.status " + subscription + " status:active->past_due"}},
			{answer: subscriptions("canceled"), told: []string{"subscription.canceled " + subscription + " status:past_due->canceled"}},
		},
	},
	"paypal-invoices": {
		env:    []string{"PAYPAL_URL=API", "PAYPAL_ID=client", "PAYPAL_SECRET=hidden-secret"},
		tokens: clientToken("/v1/oauth2/token", false),
		refuse: all(bearer, path("/v2/invoicing/search-invoices"), func(r *http.Request) string {
			if sent(r, "invoice_date_range", "start") == "" || r.URL.Query().Get("total_required") != "true" {
				return "a range and total_required are missing"
			}
			return ""
		}),
		further: has("page", "1"),
		steps: []step{
			{answer: invoices("draft")},
			{answer: text(http.StatusTooManyRequests, `{"name":"RATE_LIMIT_REACHED"}`)},
			{answer: invoices("paid"), told: []string{"invoice.paid INV2-C82X-JNN9-Y6S5-CNXW status:DRAFT->PAID"}},
		},
	},
	"paypal-subscription": {
		env:    []string{"PAYPAL_URL=API", "PAYPAL_ID=client", "PAYPAL_SECRET=hidden-secret", "PAYPAL_SUBSCRIPTION=I-BW452GLLEP1G"},
		tokens: clientToken("/v1/oauth2/token", false),
		refuse: all(bearer, path("/v1/billing/subscriptions/I-BW452GLLEP1G")),
		steps: []step{
			{answer: recorded("paypal/subscription_seq_1_approval_pending.json")},
			{answer: recorded("paypal/subscription_seq_2_active.json"), told: []string{"subscription.status I-BW452GLLEP1G status:APPROVAL_PENDING->ACTIVE"}},
			{answer: failing(http.StatusInternalServerError, "paypal/error_500.json")},
			{answer: recorded("paypal/subscription_seq_3_suspended.json"), told: []string{"subscription.status I-BW452GLLEP1G status:ACTIVE->SUSPENDED"}},
			{answer: recorded("paypal/subscription_seq_4_cancelled.json"), told: []string{"subscription.status I-BW452GLLEP1G status:SUSPENDED->CANCELLED"}},
		},
	},
	"shopify-orders": {
		env:     []string{"SHOPIFY_URL=API", "SHOPIFY_TOKEN=hidden-token", "SHOPIFY_VERSION=2026-10"},
		refuse:  all(header("X-Shopify-Access-Token", "hidden-token"), path("/admin/api/2026-10/orders.json")),
		further: has("page_info", ""),
		steps: []step{
			{answer: orders("voided", `{"id":1,"number":1}`)},
			{answer: text(http.StatusTooManyRequests, `{"errors":"Exceeded 2 calls per second"}`, "Retry-After", "2.0")},
			{answer: orders("paid", `{"id":1,"number":1}`), told: []string{"order.paid 123456 paid:voided->paid"}},
			{answer: orders("paid", `{"id":1,"number":1,"fulfillment_status":"fulfilled"},{"id":2,"number":2}`), told: []string{
				"order.placed 2", "order.fulfilled 1 fulfilled:<nil>->fulfilled",
			}},
		},
	},
}

// members is a list of members and the empty page behind it.
func members(name string) answer {
	return pages(parameter("offset"), map[string]answer{
		"": recorded("mailchimp/" + name), "0": recorded("mailchimp/" + name),
		"2": ok(`{"members":[],"list_id":"91a2bc4140","total_items":2}`),
	})
}

// optouts are two pages of one contact each.
func optouts(first, second string) answer {
	return pages(func(r *http.Request) string { return sent(r, "after") }, map[string]answer{
		"0":      ok(`{"total":2,"results":[` + first + `],"paging":{"next":{"after":"NTI1Cg","link":"?after=NTI1Cg"}}}`),
		"NTI1Cg": ok(`{"total":2,"results":[` + second + `]}`),
	})
}

const subscription = "sub_1Pgc6rB7WZ01zgkWNy0Cn5nw"

// subscriptions are two pages, of which the first is recorded.
func subscriptions(status string) answer {
	return pages(parameter("starting_after"), map[string]answer{
		"":           recorded("stripe/list_page1.json", `"status": "active"`, `"status": "`+status+`"`),
		subscription: ok(`{"object":"list","has_more":false,"data":[{"id":"sub_2","status":"active","customer":"cus_2","cancel_at":null}]}`),
	})
}

// invoices are two pages of one invoice each.
func invoices(name string) answer {
	return func(t *testing.T) http.HandlerFunc {
		t.Helper()
		page := `{"total_items":2,"total_pages":2,"items":[%s]}`
		return pages(parameter("page"), map[string]answer{
			"1": ok(fmt.Sprintf(page, fixture(t, "paypal/invoice_"+name+".json"))),
			"2": ok(fmt.Sprintf(page, `{"id":"INV2-0000","status":"SENT","detail":{"invoice_number":"#124"}}`)),
		})(t)
	}
}

// orders are two pages by a Link header, of which the first is recorded.
func orders(financial, second string) answer {
	return func(t *testing.T) http.HandlerFunc {
		t.Helper()
		first := recorded("shopify/orders.json", `"voided"`, `"`+financial+`"`)(t)
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Shopify-Shop-Api-Call-Limit", "15/30")
			if r.URL.Query().Get("page_info") == "" {
				w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?limit=250&page_info=abc>; rel="next"`, r.Host, r.URL.Path))
				first(w, r)
				return
			}
			reply(http.StatusOK, "application/json", `{"orders":[`+second+`]}`)(w, r)
		}
	}
}
