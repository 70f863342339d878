"""Clusters as they are now: every object listed, every change watched.

Source: the API servers of the clusters in gitopslab.toml, `list` and `watch` of the kinds in
        `gitopslab.resources.EXTRACTED` and those that `[watch] resources` adds.
Needs:  `get`, `list` and `watch` on these kinds, and `get` on the namespace kube-system.
Limits: what came and went between two lists is lost; a watch loses what happened while it was away
        for longer than the API server remembers (minutes), and then says so by a row `gap`. After etcd
        was restored from a backup, versions get numbers that others had: both land, under one key.
"""
