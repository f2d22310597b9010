"""The service of `moverank serve` as a deployment of Ray Serve, which starts and stops replicas of it as needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from moverank._support.optional import optional
from moverank.ray.workers import threads_of

if TYPE_CHECKING:
    from ray.serve import Application

    from moverank.serve.options import Options
    from moverank.sharding import ShardedTextIndex

#: Requests that one replica takes at a time, unless told otherwise: those computed, and some that wait for them.
REQUESTS_AT_ONCE = 64


def service(
    options: Options | None = None,
    *,
    shards: Mapping[str, ShardedTextIndex] | None = None,
    num_cpus: float = 1,
    deployment_options: Mapping[str, Any] | None = None,
) -> Application:
    """The service as an application of Ray Serve: the dialects of rerankers, search of indexes of texts, and the page.

    Each replica is the application of `moverank.serve.app.create_app`, with an encoder and a cache of its own. Needs
    ``pip install 'moverank[ray,serve]' 'ray[serve]'``; the latter is no extra of moverank, as it brings a program under
    the GPL.

    Parameters
    ----------
    options : moverank.serve.options.Options, optional
        Options of the service. Its files and folders are opened on each replica's node. `threads` is `num_cpus`.
    shards : mapping of str to ShardedTextIndex, optional
        Shards to search as one, by the names under which they are served: those of `sharded_text_index`, whose actors
        all replicas of the service then call. Keep it: its actors end with it.
    num_cpus : float, default 1
        CPUs of each replica, which are also its threads.
    deployment_options : mapping, optional
        Other options of ``ray.serve.deployment``, such as `num_replicas`, `autoscaling_config` or `ray_actor_options`.

    Returns
    -------
    ray.serve.Application
        For ``ray.serve.run``, or the import path of a configuration of Ray Serve.

    Raises
    ------
    ImportError
        If Ray Serve or the service is not installed; the message says what to install.
    TypeError, ValueError
        If an argument is malformed.

    Examples
    --------
    >>> from ray import serve  # doctest: +SKIP
    >>> serve.run(service(num_cpus=2), route_prefix="/")  # doctest: +SKIP
    """
    optional("ray", "ray")
    try:
        from ray import serve
    except ImportError as error:
        raise ImportError(f"Ray Serve is not installed ({error}): pip install 'ray[serve]'") from error
    optional("fastapi", "serve")
    from moverank.serve.app import create_app
    from moverank.serve.options import Options as ServiceOptions

    chosen = replace(ServiceOptions() if options is None else options, threads=threads_of(num_cpus))
    given = dict(deployment_options or {})
    actor = {"num_cpus": num_cpus, **given.pop("ray_actor_options", {})}

    served = dict(shards or {})

    @serve.ingress(lambda: create_app(chosen, shards=served))
    class Service:
        """One replica."""

    made = serve.deployment(
        **{"name": "moverank", "max_ongoing_requests": REQUESTS_AT_ONCE, "ray_actor_options": actor, **given}
    )(Service)
    application: Application = made.bind()
    return application
