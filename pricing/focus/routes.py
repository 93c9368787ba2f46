"""The four data sets of FOCUS 1.4 over HTTP, as one archive."""

from fastapi import APIRouter, Response

from pricing.bills.export_store import said_of
from pricing.focus.package import package_files
from pricing.focus.package_store import Packages
from pricing.proof.routes import archive


def routes(packages: Packages) -> APIRouter:
    """Build the route over bills and contracts."""
    router = APIRouter()

    @router.get("/v1/exports/focus-datasets", summary="The data sets of FOCUS 1.4")
    def datasets(month: str, account: str | None = None) -> Response:
        """Return a zip archive: four CSV files, ``metadata.json`` and ``SHA256SUMS``."""
        package = packages.package(month, account)
        headers = said_of(package.blocked, package.complete_until)
        files = archive(package_files(package))
        return Response(files, headers=dict(headers), media_type="application/zip")

    return router
