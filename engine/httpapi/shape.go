package httpapi

import (
	"time"

	"github.com/muster-engine/muster/engine"
)

// timestamp is a time as the API has it: in UTC, with three digits of the second. Clients that read a fixed form would
// stumble over the digits that time.Time leaves out.
type timestamp time.Time

// timestampForm is the form of all times.
const timestampForm = "2006-01-02T15:04:05.000Z"

func (t timestamp) MarshalJSON() ([]byte, error) {
	return []byte(time.Time(t).UTC().Format(`"` + timestampForm + `"`)), nil
}

func timestampOf(t *time.Time) *timestamp { return (*timestamp)(t) }

// The types of the engine with their times as the API has them. A member here stands for that of the same name in the
// type of the engine.
type (
	identityShape struct {
		*engine.Identity
		Created     timestamp  `json:"created"`
		Modified    timestamp  `json:"modified"`
		LastRefresh *timestamp `json:"lastRefresh,omitempty"`
	}
	assignmentShape struct {
		*engine.RoleAssignment
		AddedDate  timestamp  `json:"addedDate"`
		StartDate  *timestamp `json:"startDate"`
		RemoveDate *timestamp `json:"removeDate"`
	}
	assignmentRefShape struct {
		*engine.RoleAssignmentRef
		AddedDate  timestamp  `json:"addedDate"`
		StartDate  *timestamp `json:"startDate"`
		RemoveDate *timestamp `json:"removeDate"`
	}
	taskShape struct {
		*engine.TaskStatus
		Created   timestamp  `json:"created"`
		Modified  *timestamp `json:"modified"`
		Launched  *timestamp `json:"launched"`
		Completed *timestamp `json:"completed"`
	}
)

func shapeIdentity(i *engine.Identity) identityShape {
	return identityShape{i, timestamp(i.Created), timestamp(i.Modified), timestampOf(i.LastRefresh)}
}

func shapeAssignment(a *engine.RoleAssignment) assignmentShape {
	return assignmentShape{a, timestamp(a.AddedDate), timestampOf(a.StartDate), timestampOf(a.RemoveDate)}
}

func shapeAssignmentRef(a *engine.RoleAssignmentRef) assignmentRefShape {
	return assignmentRefShape{a, timestamp(a.AddedDate), timestampOf(a.StartDate), timestampOf(a.RemoveDate)}
}

func shapeTask(t *engine.TaskStatus) taskShape {
	return taskShape{t, timestamp(t.Created), timestampOf(t.Modified), timestampOf(t.Launched),
		timestampOf(t.Completed)}
}

// shapes gives each of a list its shape. The result is never nil, and so never null.
func shapes[T, S any](list []T, shape func(*T) S) []S {
	shaped := make([]S, len(list))
	for i := range list {
		shaped[i] = shape(&list[i])
	}
	return shaped
}
