package recipes_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/deltahook/deltahook/test/loopback"
)

// shops are the plays of what lists customers, orders and invoices.
var shops = map[string]play{
	"mailchimp": {
		env:     []string{"MAILCHIMP_URL=API", "MAILCHIMP_KEY=hidden-key-us6", "MAILCHIMP_LIST=91a2bc4140"},
		refuse:  all(basic("deltahook", "hidden-key-us6"), path("/3.0/lists/91a2bc4140/members")),
		further: has("offset", "0"),
		steps: []step{
			{answer: members("", recorded("mailchimp/members_seq_1.json"))},
			{answer: members("2018-03-31T23:50:00+00:00", recorded("mailchimp/members_seq_1b_last_changed_noise.json"))},
			{answer: text(http.StatusTooManyRequests, `{"title":"Too Many Requests"}`)},
			// Only what changed is listed: who is not, is not gone.
			{answer: members("2018-04-02T07:50:00+00:00", ok(`{"members":[],"total_items":0}`))},
			{answer: members("2018-04-02T07:50:00+00:00", ok(`{"members":[],"total_items":0}`))},
			{
				answer: members("2018-04-02T07:50:00+00:00", recorded("mailchimp/members_seq_2_unsubscribed.json")),
				told:   []string{"member.unsubscribed 3b2c6602895ae53a5f677fe4835ca92f status:subscribed->unsubscribed"},
			},
			{answer: members("2018-04-03T12:12:07+00:00", recorded("mailchimp/members_seq_2_unsubscribed.json"))}, // the overlap
		},
	},
	"hubspot": {
		env:     []string{"HUBSPOT_URL=API", "HUBSPOT_TOKEN=hidden-token"},
		refuse:  all(header("Authorization", "Bearer hidden-token"), path("/crm/v3/objects/contacts/search")),
		further: func(r *http.Request) bool { return sent(r, "after") != "0" },
		steps: []step{
			{answer: contacts("hs_email_optout EQ true", contact(101, "true"), contact(102, "true"))},
			{answer: text(http.StatusTooManyRequests, `{"category":"RATE_LIMITS"}`)},
			// Changed in another way, one who never unsubscribed: nothing.
			{answer: contacts("hs_email_optout HAS_PROPERTY, lastmodifieddate GTE 15m", contact(101, "true"), contact(104, "false"))},
			{answer: contacts("hs_email_optout HAS_PROPERTY, lastmodifieddate GTE 15m", contact(101, "true"), contact(103, "true")), told: []string{"contact.unsubscribed 103"}},
			{answer: contacts("hs_email_optout HAS_PROPERTY, lastmodifieddate GTE 15m", contact(103, "true"), contact(102, "false")), told: []string{"contact.resubscribed 102"}},
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
		refuse: all(bearer, func(r *http.Request) string { return path("/v1/billing/subscriptions/" + name(r))(r) }),
		steps: []step{
			{answer: only(name, "I-BW452GLLEP1G", recorded("paypal/subscription_seq_1_approval_pending.json"))},
			{answer: recorded("paypal/subscription_seq_2_active.json"), told: []string{"subscription.status I-BW452GLLEP1G status:APPROVAL_PENDING->ACTIVE"}},
			{answer: failing(http.StatusInternalServerError, "paypal/error_500.json")},
			{answer: recorded("paypal/subscription_seq_3_suspended.json"), told: []string{"subscription.status I-BW452GLLEP1G status:ACTIVE->SUSPENDED"}},
			{
				answer: recorded("paypal/subscription_seq_4_cancelled.json"),
				told:   []string{"subscription.ended I-BW452GLLEP1G status:SUSPENDED->CANCELLED"}, last: true,
			},
			{put: "I-2", answer: only(name, "I-2", recorded("paypal/subscription_seq_2_active.json"))},
		},
	},
	"shopify-parcels": {run: playParcels},
	"shopify-orders": {
		env:     []string{"SHOPIFY_URL=API", "SHOPIFY_TOKEN=hidden-token", "SHOPIFY_VERSION=2026-10"},
		refuse:  all(header("X-Shopify-Access-Token", "hidden-token"), path("/admin/api/2026-10/orders.json")),
		further: has("page_info", ""),
		steps: []step{
			{answer: orders("", "voided", order(1, "2016-05-17T10:10:00+02:00", "null"))},
			{answer: text(http.StatusTooManyRequests, `{"errors":"Exceeded 2 calls per second"}`, "Retry-After", "2.0")},
			// The latest of the two, though not by its letters; less the overlap.
			{answer: orders("2016-05-17T08:09:36Z", "paid", order(1, "2016-05-17T10:10:00+02:00", "null")), told: []string{"order.paid 123456 paid:voided->paid"}},
			{answer: reordered("2016-05-17T08:09:36Z")}, // nothing changed: what is not listed is not gone
			{answer: reordered("2016-05-17T08:09:36Z")},
			{answer: reordered("2016-05-17T08:09:36Z", order(1, "2016-05-17T12:00:00+02:00", `"fulfilled"`), order(2, "2016-05-17T11:00:00+02:00", `null,"financial_status":"paid"`)), told: []string{
				"order.placed 2", "order.paid 2", "order.fulfilled 1 fulfilled:<nil>->fulfilled",
			}},
			{answer: reordered("2016-05-17T09:55:00Z")},
		},
	},
}

// playParcels plays a shop and a carrier of its parcels: two sources, of which
// the orders of one name the keys of the other.
func playParcels(t *testing.T) {
	t.Helper()
	fedex := map[string]string{}
	for _, name := range []string{"seq_1_label_created", "seq_2_in_transit", "seq_4_delivered"} {
		fedex[name] = string(fixture(t, "fedex_track/"+name+".json"))
	}
	token := clientToken("/oauth/token", true)
	var mu sync.Mutex
	orders, parcel, asked := "", "seq_1_label_created", map[string]int{}
	set := func(o, p string) {
		mu.Lock()
		defer mu.Unlock()
		orders, parcel, asked = o, p, map[string]int{}
	}
	server := loopback.NewServer(t, func(w http.ResponseWriter, r *http.Request) {
		if token(w, r) {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		switch r.URL.Path {
		case "/admin/api/2026-10/orders.json":
			asked["orders"]++
			reply(http.StatusOK, "application/json", `{"orders":[`+orders+`]}`)(w, r)
		case "/track/v1/trackingnumbers":
			which := numbers(r)
			asked[which]++
			if which != number {
				t.Errorf("FedEx was asked for %q", which)
			}
			reply(http.StatusOK, "application/json", fedex[parcel])(w, r)
		default:
			t.Errorf("%s was asked for", r.URL)
		}
	})
	t.Cleanup(server.Close)
	// polled waits until there were two more polls of it, so that the first
	// of them was taken in.
	polled := func(what string) {
		t.Helper()
		for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
			mu.Lock()
			n := asked[what]
			mu.Unlock()
			if n >= 2 {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%s was not polled", what)
			}
		}
	}
	sent := func(id int, company, numbers string) string {
		return fmt.Sprintf(`{"id":%d,"number":%[1]d,"updated_at":"2026-11-23T10:00:00Z","fulfillments":[{"tracking_company":%q,"tracking_numbers":[%s]}]}`, id, company, numbers)
	}
	set(sent(1, "UPS", `"1Z1"`)+`,{"id":2,"number":2,"updated_at":"2026-11-23T10:00:00Z","fulfillments":[]}`, parcel)
	hook, got := newReceiver(t)
	daemon(t, "shopify-parcels", []string{
		"WEBHOOK_URL=" + hook, "WEBHOOK_SECRET=" + whsec, "SHOPIFY_URL=" + server.URL, "FEDEX_URL=" + server.URL,
		"SHOPIFY_TOKEN=hidden-token", "SHOPIFY_VERSION=2026-10", "FEDEX_ID=client", "FEDEX_SECRET=hidden-secret",
	})
	polled("orders") // nothing of FedEx: it is not asked
	compare(t, 0, nil, 0, got)
	set(sent(2, "FedEx", `"`+number+`"`), "seq_1_label_created")
	compare(t, 1, []string{"order.sent 2 parcels:(add 0)"}, 0, got)
	polled(number)
	set("", "seq_2_in_transit") // the order is not listed any more: not changed
	compare(t, 2, []string{"parcel.moved 12028~" + number + "~FDEG scans:(add 0)(add 1)(add 2)(add 3)(add 4)(add 5)(add 6)(add 8) status:OC->DP text:Initiated->In transit"}, 0, got)
	set("", "seq_4_delivered")
	line := <-got
	if !strings.HasPrefix(line, "parcel.delivered 12028~"+number+"~FDEG scans:") {
		t.Errorf("told %q, want its delivery", line)
	}
	time.Sleep(500 * time.Millisecond) // a poll that was under way
	set("", "seq_4_delivered")
	polled("orders")
	mu.Lock()
	defer mu.Unlock()
	if asked[number] > 0 {
		t.Error("a parcel that is delivered is polled")
	}
}

// members is a list of those who changed since a time, and the empty page
// behind it.
func members(since string, first answer) answer {
	return only(parameter("since_last_changed"), since, pages(parameter("offset"), map[string]answer{
		"": first, "0": first, "2": ok(`{"members":[],"list_id":"91a2bc4140","total_items":2}`),
	}))
}

// contacts are two pages of one contact each, of those who pass these filters.
func contacts(filters, first, second string) answer {
	return only(searched, filters, pages(func(r *http.Request) string { return sent(r, "after") }, map[string]answer{
		"0":      ok(`{"total":2,"results":[` + first + `],"paging":{"next":{"after":"NTI1Cg","link":"?after=NTI1Cg"}}}`),
		"NTI1Cg": ok(`{"total":2,"results":[` + second + `]}`),
	}))
}

func contact(id int, optout string) string {
	return fmt.Sprintf(`{"id":"%d","properties":{"email":"%d@example.com","hs_email_optout":%q}}`, id, id, optout)
}

// searched are the filters of a search, a time of which is told as how long
// ago it was, roughly.
func searched(r *http.Request) string {
	text, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(text))
	var body struct {
		Groups []struct {
			Filters []struct {
				Name     string `json:"propertyName"`
				Operator string
				Value    string
			}
		} `json:"filterGroups"`
	}
	if err := errors.Join(err, json.Unmarshal(text, &body)); err != nil {
		return err.Error()
	}
	var all []string
	for _, g := range body.Groups {
		for _, f := range g.Filters {
			if ms, err := strconv.ParseInt(f.Value, 10, 64); err == nil {
				f.Value = strings.TrimSuffix(time.Since(time.UnixMilli(ms)).Truncate(time.Minute).String(), "0s")
			}
			all = append(all, strings.TrimSpace(f.Name+" "+f.Operator+" "+f.Value))
		}
	}
	return strings.Join(all, ", ")
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

func order(id int, updated, fulfilled string) string {
	return fmt.Sprintf(`{"id":%d,"number":%d,"updated_at":%q,"fulfillment_status":%s}`, id, id, updated, fulfilled)
}

// reordered are the orders that changed since a time.
func reordered(since string, all ...string) answer {
	return only(nightly(since), since, ok(`{"orders":[`+strings.Join(all, ",")+`]}`))
}

// nightly is since when orders are asked for, all of them at 03:00 UTC.
func nightly(since string) func(*http.Request) string {
	return func(r *http.Request) string {
		at := r.URL.Query().Get("updated_at_min")
		if at == "" && during(3) {
			return since
		}
		return at
	}
}

// during reports whether it is this hour in UTC, or was a minute ago: when the
// request was made.
func during(hour int) bool {
	now := time.Now().UTC()
	return now.Hour() == hour || now.Add(-time.Minute).Hour() == hour
}

// orders are two pages by a Link header, of which the first is recorded.
func orders(since, financial, second string) answer {
	return func(t *testing.T) http.HandlerFunc {
		t.Helper()
		first := recorded("shopify/orders.json", `"voided"`, `"`+financial+`"`)(t)
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Shopify-Shop-Api-Call-Limit", "15/30")
			if r.URL.Query().Get("page_info") == "" {
				if at := nightly(since)(r); at != since {
					t.Errorf("orders since %q were asked for, want %q", at, since)
				}
				w.Header().Set("Link", fmt.Sprintf(`<http://%s%s?limit=250&page_info=abc>; rel="next"`, r.Host, r.URL.Path))
				first(w, r)
				return
			}
			reply(http.StatusOK, "application/json", `{"orders":[`+second+`]}`)(w, r)
		}
	}
}
