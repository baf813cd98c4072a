package httpapi

import (
	"net/http"

	"github.com/muster-engine/muster/engine"
)

func serveDocument(w http.ResponseWriter, r *http.Request) { send(w, r, http.StatusOK, Document()) }

// health answers that the process is alive.
func (h *Handler) health(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// ready answers whether the engine can work: the database must respond and have the right version.
func (h *Handler) ready(w http.ResponseWriter, r *http.Request) {
	err := h.engine.Ready(r.Context())
	if err == nil {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
		return
	}
	retryAfter(w.Header(), unavailableFor)
	id := refuse(w, r, unavailable)
	h.config.Logger.ErrorContext(r.Context(), "not ready", "trackingId", id, "error", engine.Reason(err))
}
