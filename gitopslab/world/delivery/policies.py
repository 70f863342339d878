"""Objects of GitOps Promoter as its controllers write them."""

from gitopslab.world.apiserver import Object, owner_reference
from gitopslab.world.clock import stamp
from gitopslab.world.delivery.commits import CONFIG_URL, DryCommit, Hydrated
from gitopslab.world.emit.gitrepos import ARGO_CD
from gitopslab.world.random import hexadecimal

API_VERSION = "promoter.argoproj.io/v1alpha1"
NAMESPACE = "promoter"
REPOSITORY = "stacks"
PULL_REQUEST_FINALIZERS = (
    "pullrequest.promoter.argoproj.io/finalizer",
    "changetransferpolicy.promoter.argoproj.io/pullrequest-finalizer",
)
HEALTH, TIMER, PREVIOUS = "argocd-health", "timer", "promoter-previous-environment"


def manager(kind: str) -> str:
    """Return the field manager of the controller of `kind`."""
    return f"promoter.argoproj.io/{kind.lower()}-controller"


def named(kind: str, name: str, spec: Object, *, owner: Object | None = None, branch: str = "") -> Object:
    """Return an object before it is created: with `owner`'s name and the branch it is about as labels."""
    metadata: Object = {"name": name, "namespace": NAMESPACE}
    if owner is not None:
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
        "commitTime": stamp(hydrated.committed_at),
        "sha": hydrated.sha,
        "subject": f"{content.sha[:7]}: {content.subject}",
    }


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
    spec["title"] = f"Promote {dry_sha[:5]} to `{branch}`"
    spec["description"] = (
        f"This PR is promoting the environment branch `{branch}` which is currently on dry sha "
        f"{active_dry_sha} to dry sha {dry_sha}."
    )
    spec["commit"] = {"message": f"Promote {dry_sha[:5]} to `{branch}`\n"}
    spec["mergeSha"] = proposed.sha


def commit_status(key: str, strategy: Object, branch: str) -> Object:
    """Return the CommitStatus of a gate and an environment, before it is created; it has no sha yet."""
    item = named(
        "CommitStatus",
        hashed(strategy["metadata"]["name"], branch, key),
        {"gitRepositoryRef": {"name": REPOSITORY}, "name": f"{key}/{label(branch)}", "phase": "pending"},
        owner=strategy,
        branch=branch,
    )
    item["metadata"]["labels"]["promoter.argoproj.io/commit-status"] = key
    return item
