"""Objects of GitOps Promoter as its controllers write them."""

from collections.abc import Sequence

from gitopslab.world.apiserver import Object, owner_reference
from gitopslab.world.clock import stamp
from gitopslab.world.delivery.commits import CONFIG_URL, DryCommit, Hydrated
from gitopslab.world.emit import promotions
from gitopslab.world.emit.gitrepos import ARGO_CD, PROMOTER
from gitopslab.world.emit.promotions import PromotionCommit
from gitopslab.world.random import hexadecimal
from gitopslab.world.scale import Environment

API_VERSION = "promoter.argoproj.io/v1alpha1"
NAMESPACE = "promoter"
REPOSITORY = "stacks"
PULL_REQUEST_FINALIZERS = (
    "pullrequest.promoter.argoproj.io/finalizer",
    "changetransferpolicy.promoter.argoproj.io/pullrequest-finalizer",
)
ARGO_CD_CONTROLLER = "argocd-controller"
"""The field manager of Argo CD, which applies what the config repository declares."""
HEALTH, TIMER, PREVIOUS = "argocd-health", "timer", "promoter-previous-environment"


def manager(kind: str) -> str:
    """Return the field manager of the controller of `kind`."""
    return f"promoter.argoproj.io/{kind.lower()}-controller"


def named(kind: str, name: str, spec: Object, *, owner: Object | None = None, branch: str = "") -> Object:
    """Return an object before it is created: with `owner`'s name and the branch it is about as labels.

    What has no owner is declared in the config repository, and carries the mark by which Argo CD knows it.
    """
    metadata: Object = {"name": name, "namespace": NAMESPACE}
    if owner is None:
        tracked = f"promoter-config:{API_VERSION.partition('/')[0]}/{kind}:{NAMESPACE}/{name}"
        metadata["annotations"] = {"argocd.argoproj.io/tracking-id": tracked}
    else:
        metadata["ownerReferences"] = [owner_reference(owner)]
        metadata["labels"] = {
            "promoter.argoproj.io/environment": label(branch),
            "promoter.argoproj.io/promotion-strategy": owner["metadata"]["name"],
        }
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}


def label(branch: str) -> str:
    """Return a branch as a label's value."""
    return branch.replace("/", "-")


def hashed(*parts: str) -> str:
    """Return a name made of `parts` and a hash of them, as Promoter makes them unique."""
    return f"{'-'.join(label(part) for part in parts)}-{hexadecimal(8, *parts)}"


def ready(item: Object, now: float, reason: str = "ReconciliationSuccess", message: str = "") -> None:
    """Set the Ready condition of `item`, and which generation of its spec the status is about."""
    status = item.setdefault("status", {})
    status["observedGeneration"] = item["metadata"]["generation"]
    is_ready = reason == "ReconciliationSuccess"
    found = next(iter(status.get("conditions", ())), None)
    since = (
        stamp(now)
        if found is None or (found["status"] == "True") != is_ready
        else found["lastTransitionTime"]
    )
    status["conditions"] = [
        {
            "lastTransitionTime": since,
            "message": message or "Reconciliation succeeded",
            "observedGeneration": item["metadata"]["generation"],
            "reason": reason,
            "status": "True" if is_ready else "False",
            "type": "Ready",
        }
    ]


def dry_state(dry: DryCommit) -> Object:
    """Return a config commit as statuses tell of it: `commitTime` is the author's time."""
    content = dry.content
    state = {
        "author": str(content.author),
        "commitTime": stamp(content.authored_at),
        "repoURL": CONFIG_URL,
        "sha": content.sha,
        "subject": content.subject,
    }
    references = [
        {
            "commit": {
                "author": str(reference.author),
                "date": stamp(reference.authored_at),
                "repoURL": reference.repo_url,
                "sha": reference.sha,
                "subject": reference.subject,
            }
        }
        for reference in content.references
    ]
    return state | ({"references": references} if references else {})


def hydrated_state(hydrated: Hydrated) -> Object:
    """Return a commit of manifests as statuses tell of it: `commitTime` is the committer's time."""
    content = hydrated.dry.content
    return {
        "author": ARGO_CD.name,
        "body": hydrated.body,
        "commitTime": stamp(hydrated.committed_at),
        "sha": hydrated.sha,
        "subject": f"{content.sha[:7]}: {content.subject}",
    }


def merged_state(merged: PromotionCommit, sha: str) -> Object:
    """Return the tip of an active branch as statuses tell of it: the commit that merged a proposal."""
    subject, _, body = promotions.message(merged).partition("\n")
    return {
        "author": (merged.merged_by or PROMOTER).name,
        "body": body.strip(),
        "commitTime": stamp(merged.at),
        "sha": sha,
        "subject": subject,
    }


def promotion_strategy(name: str, environments: Sequence[Environment]) -> Object:
    """Return the PromotionStrategy of `environments`, before it is created."""
    spec: Object = {
        "environments": [
            {"autoMerge": each.lane != "manual", "branch": each.branch} for each in environments
        ],
        "gitRepositoryRef": {"name": REPOSITORY},
    }
    return named("PromotionStrategy", name, spec | _gates_of(environments[0]))


def change_transfer_policy(strategy: Object, environment: Environment, *, has_previous: bool) -> Object:
    """Return the ChangeTransferPolicy of an environment, before it is created."""
    branch = environment.branch
    spec: Object = {
        "activeBranch": branch,
        "autoMerge": environment.lane != "manual",
        "gitRepositoryRef": {"name": REPOSITORY},
        "proposedBranch": f"{branch}-next",
    }
    spec |= _gates_of(environment)
    if has_previous:
        spec["proposedCommitStatuses"] = [{"key": PREVIOUS}]
    name = hashed(strategy["metadata"]["name"], branch)
    return named("ChangeTransferPolicy", name, spec, owner=strategy, branch=branch)


def _gates_of(environment: Environment) -> Object:
    keys = (HEALTH, TIMER) if environment.lane == "promoted" else ()
    return {"activeCommitStatuses": [{"key": key} for key in keys]} if keys else {}


def pull_request(policy: Object, strategy: Object, proposed: Hydrated, active_dry_sha: str) -> Object:
    """Return the PullRequest that brings `proposed` to the branch of `policy`, before it is created."""
    spec = policy["spec"]
    active, source = spec["activeBranch"], spec["proposedBranch"]
    item = named(
        "PullRequest",
        hashed("example", REPOSITORY, source, active),
        {
            "gitRepositoryRef": {"name": REPOSITORY},
            "sourceBranch": source,
            "state": "open",
            "targetBranch": active,
        },
        owner=strategy,
        branch=active,
    )
    item["metadata"]["ownerReferences"] = [owner_reference(policy)]
    item["metadata"]["labels"]["promoter.argoproj.io/change-transfer-policy"] = policy["metadata"]["name"]
    item["metadata"]["finalizers"] = list(PULL_REQUEST_FINALIZERS)
    describe(item, proposed, active_dry_sha)
    return item


def describe(item: Object, proposed: Hydrated, active_dry_sha: str) -> None:
    """Let the PullRequest `item` be about `proposed`."""
    spec, dry_sha = item["spec"], proposed.dry.sha
    branch = spec["targetBranch"]
    spec["title"] = f"Promote {dry_sha[:7]} to `{branch}`"
    spec["description"] = (
        f"This PR is promoting the environment branch `{branch}` which is currently on dry sha "
        f"{active_dry_sha} to dry sha {dry_sha}."
    )
    spec["commit"] = {"message": f"Promote {dry_sha[:7]} to `{branch}`\n"}
    spec["mergeSha"] = proposed.sha


def commit_status(key: str, strategy: Object, branch: str, *, owner: Object) -> Object:
    """Return the CommitStatus of a gate and an environment, before it is created; it has no sha yet.

    It belongs to what makes it: the ArgoCDCommitStatus, the TimedCommitStatus, or the ChangeTransferPolicy.
    """
    item = named(
        "CommitStatus",
        hashed(strategy["metadata"]["name"], branch, key),
        {"gitRepositoryRef": {"name": REPOSITORY}, "name": f"{key}/{label(branch)}", "phase": "pending"},
        owner=strategy,
        branch=branch,
    )
    item["metadata"]["ownerReferences"] = [owner_reference(owner)]
    item["metadata"]["labels"]["promoter.argoproj.io/commit-status"] = key
    return item
