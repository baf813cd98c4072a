package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-engine/muster/engine"
	"github.com/muster-engine/muster/store"
)

func (a *app) rolesCommand() *cobra.Command {
	return group(&cobra.Command{Use: "roles", Aliases: []string{"role"},
		Short: "Show, assign and revoke the roles of identities"},
		a.rolesListCommand(), a.rolesAssignCommand(), a.rolesRevokeCommand(), a.rolesMembersCommand(),
		a.rolesAssignmentsCommand())
}

func (a *app) rolesListCommand() *cobra.Command {
	var query engine.RoleAssignmentQuery
	var output string
	cmd := &cobra.Command{
		Use: "list ID|ALIAS", Short: "List the roles of an identity", Args: exactArgs(1, "one ID or ALIAS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.listRoles(cmd.Context(), args[0], query, output, false)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&query.RoleName, "role", "", "only this role, by its name")
	listOutput(cmd, &output)
	return cmd
}

func (a *app) identitiesRolesCommand() *cobra.Command {
	var query engine.RoleAssignmentQuery
	var output string
	cmd := &cobra.Command{
		Use: "roles ID|ALIAS", Short: "List the roles of an identity, in the published shapes",
		Long: `Roles lists the roles of an identity and their dates. With --role-id or --role-name it shows all details
of the assignments of that role; if both are given, the role must have both.`,
		Args: exactArgs(1, "one ID or ALIAS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.listRoles(cmd.Context(), args[0], query, output, query == engine.RoleAssignmentQuery{})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&query.RoleID, "role-id", "", "only the role with this ID")
	flags.StringVar(&query.RoleName, "role-name", "", "only the role with this name")
	listOutput(cmd, &output)
	return cmd
}

// listRoles lists the roles of an identity, which is named by ID or alias. It lists all details, or with short only the
// roles and their dates.
func (a *app) listRoles(ctx context.Context, name string, query engine.RoleAssignmentQuery, output string,
	short bool,
) error {
	if err := demandListOutput(output); err != nil {
		return err
	}
	return a.withIdentity(ctx, name, func(eng *engine.Engine, id string) error {
		assignments, err := eng.RoleAssignments(ctx, id, query)
		if err != nil {
			return err
		}
		refs := make([]engine.RoleAssignmentRef, len(assignments))
		rows := [][]string{{"ID", "ROLE", "ADDED", "START", "REMOVE", "SOURCE", "COMMENTS"}}
		for i := range assignments {
			as := &assignments[i]
			refs[i] = as.Ref()
			comments := ""
			if as.Comments != nil {
				comments = *as.Comments
			}
			rows = append(rows, []string{as.ID, as.Role.Name, dateText(&as.AddedDate), dateText(as.StartDate),
				dateText(as.RemoveDate), as.AssignmentSource, comments})
		}
		if !short {
			return a.showRows(output, assignments, rows)
		}
		for i := range rows {
			rows[i] = rows[i][:5]
		}
		return a.showRows(output, refs, rows)
	})
}

func (a *app) rolesMembersCommand() *cobra.Command {
	var list listFlags
	cmd := &cobra.Command{
		Use: "members ROLE", Short: "List the identities that have a role",
		Long: `Members lists the identities that have a role, by its membership or by request. A filter may use every
property and attribute of an identity, with --published only those that the API publishes for members.`,
		Example: `  muster roles members Sales --filters 'department eq "Board"' --sorters name --count`,
		Args:    exactArgs(1, "the ID or name of a ROLE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return listWith(cmd.Context(), a, &list, func(eng *engine.Engine) (engine.Page[engine.RoleMember], error) {
				return eng.ListRoleMembers(cmd.Context(), args[0], list.page())
			})
		},
	}
	list.register(cmd, "id,name,aliasName,email,roleAssignmentSource")
	return cmd
}

func (a *app) rolesAssignmentsCommand() *cobra.Command {
	var list listFlags
	cmd := &cobra.Command{
		Use: "assignments", Short: "List the role assignments of all identities",
		Example: `  muster roles assignments --filters 'assignmentSource eq "ACCESS_REQUEST"' --sorters removeDate`,
		Args:    exactArgs(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			type page = engine.Page[engine.ListedRoleAssignment]
			return listWith(cmd.Context(), a, &list, func(eng *engine.Engine) (page, error) {
				return eng.ListRoleAssignments(cmd.Context(), list.page())
			})
		},
	}
	list.register(cmd, "id,role.name,identity.name,alias,assignmentSource,addedDate,startDate,removeDate")
	return cmd
}

func dateText(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04")
}

// withIdentity calls do with the ID of an identity, which is named by ID or alias.
func (a *app) withIdentity(ctx context.Context, name string, do func(*engine.Engine, string) error) error {
	return a.withEngine(ctx, func(eng *engine.Engine) error {
		id, err := identityID(ctx, eng, name)
		if err != nil {
			return err
		}
		return do(eng, id)
	})
}

func (a *app) rolesAssignCommand() *cobra.Command {
	var params engine.AssignRoleParams
	var start, remove string
	cmd := &cobra.Command{
		Use: "assign ID|ALIAS ROLE", Short: "Give an identity a role, and process it",
		Long: `Assign gives an identity a role by request, in addition to the roles from membership. Assigning a role
again changes the comments and the dates.`,
		Args: exactArgs(2, "an identity and a ROLE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			readDates := func(zone *time.Location) (err error) {
				if params.StartDate, err = parseDate("--start", start, zone); err == nil {
					params.RemoveDate, err = parseDate("--remove", remove, zone)
				}
				return err
			}
			if err := readDates(time.UTC); err != nil { // before anything begins
				return err
			}
			ctx := cmd.Context()
			return a.withIdentity(ctx, args[0], func(eng *engine.Engine, id string) error {
				settings, err := eng.Settings(ctx)
				if err == nil {
					err = readDates(settings.Location)
				}
				if err != nil {
					return err
				}
				params.Identity, params.Role = id, args[1]
				if params.Assigner != "" {
					assigner, err := identityIDs(ctx, eng, []string{params.Assigner})
					if err != nil {
						return err
					}
					params.Assigner = assigner[0]
				}
				assigned, err := eng.AssignRole(ctx, params)
				if err != nil {
					return err
				}
				fmt.Fprintf(a.stdout, "assigned %s: %s\n", assigned.Role.Name, assigned.ID)
				return a.process(ctx, eng)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&params.Source, "source", engine.AssignedByRequest, "origin of the assignment")
	flags.StringVar(&params.Assigner, "assigner", "", "identity that assigns it, ID or alias")
	flags.StringVar(&params.Comments, "comments", "", "why")
	flags.StringVar(&start, "start", "", "when it begins, such as 2026-03-01 or 2026-03-01T08:00:00Z "+
		"(default: at once)")
	flags.StringVar(&remove, "remove", "", "when it ends (default: never)")
	return cmd
}

// parseDate reads a point in time, or the beginning of a day in the tenant's time zone.
func parseDate(flag, text string, zone *time.Location) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return &at, nil
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04", "2006-01-02 15:04"} {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return &at, nil
		}
	}
	return nil, usage("%s: %q is no point in time: 2026-03-01, 2026-03-01T08:00 (in the tenant's time zone) or "+
		"2026-03-01T08:00:00Z is", flag, text)
}

func (a *app) rolesRevokeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "revoke ID|ALIAS ROLE|ASSIGNMENT", Short: "Take a role from an identity, and process it",
		Long: `Revoke takes assignments from an identity: the one with an ID, or all that were requested of a role. It
cannot revoke a role from membership, which stays as long as the identity is a member.`,
		Args: exactArgs(2, "an identity, and a ROLE or the ID of an ASSIGNMENT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return a.withIdentity(ctx, args[0], func(eng *engine.Engine, id string) error {
				assignments, err := assignmentIDs(ctx, eng, id, args[1])
				if err != nil {
					return err
				}
				for _, assignment := range assignments {
					if err := eng.RevokeRole(ctx, id, assignment); err != nil {
						return err
					}
					fmt.Fprintf(a.stdout, "revoked %s\n", assignment)
				}
				return a.process(ctx, eng)
			})
		},
	}
}

// assignmentIDs returns the IDs of an identity's assignments for a text: the ID of an assignment, or the ID or name of
// a role.
func assignmentIDs(ctx context.Context, eng *engine.Engine, identity, text string) ([]string, error) {
	held, err := eng.RoleAssignments(ctx, identity, engine.RoleAssignmentQuery{})
	if err != nil {
		return nil, err
	}
	id, _ := store.ParseID(text) // a name is not an ID
	var ids, members []string
	for i := range held {
		byName := strings.EqualFold(held[i].Role.Name, text)
		switch {
		case held[i].ID == id.String() || held[i].Role.ID == id.String() && !held[i].ByMembership() ||
			byName && !held[i].ByMembership():
			ids = append(ids, held[i].ID)
		case byName:
			members = append(members, held[i].ID)
		}
	}
	if len(ids) == 0 {
		ids = members // the error says that they cannot be revoked
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("the identity has no role %q, nor an assignment with this ID", text)
	}
	return ids, nil
}

func (a *app) lifecycleCommand() *cobra.Command {
	var calculated bool
	cmd := &cobra.Command{
		Use: "lifecycle ID|ALIAS STATE", Short: "Set the lifecycle state of an identity by hand, and process it",
		Long: `Lifecycle sets the lifecycle state of an identity by hand. It holds until the mapping of
cloudLifecycleState gives another value than now, or the same state. With --calculated the calculated state counts at
once. A state that is not enabled is refused. "muster explain" shows which of the two holds.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 || len(args) > 2 || (len(args) == 2) == calculated {
				return usage("an identity, and either a STATE or --calculated are expected")
			}
			ctx := cmd.Context()
			return a.withIdentity(ctx, args[0], func(eng *engine.Engine, id string) error {
				if _, err := eng.SetLifecycleState(ctx, id, strings.Join(args[1:], "")); err != nil {
					return err
				}
				return a.process(ctx, eng)
			})
		},
	}
	cmd.Flags().BoolVar(&calculated, "calculated", false, "use the calculated state again")
	return cmd
}
