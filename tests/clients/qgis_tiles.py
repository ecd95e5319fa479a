"""Run by the Python that QGIS belongs to: a vector tile layer of a service, styled and drawn; told as JSON.

``python3 qgis_tiles.py URL_TEMPLATE STYLE_URL|- WEST SOUTH EAST NORTH PICTURE``, bounds in EPSG:3857.
"""

import json
import sys
import urllib.request

from qgis.core import (
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsMapBoxGlStyleConverter,
    QgsMapRendererSequentialJob,
    QgsMapSettings,
    QgsRectangle,
    QgsVectorTileLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor, QImage


def main() -> None:
    template, style, west, south, east, north, picture = sys.argv[1:]
    application = QgsApplication([], False)
    application.initQgis()
    layer = QgsVectorTileLayer(f"type=xyz&url={template}&zmin=5&zmax=16", "land")
    told = {"valid": layer.isValid(), "warnings": []}
    if style != "-":
        with urllib.request.urlopen(style, timeout=60) as answer:
            document = json.load(answer)
        converter = QgsMapBoxGlStyleConverter()
        told["converted"] = converter.convert(document) == QgsMapBoxGlStyleConverter.Success
        told["warnings"], told["error"] = converter.warnings(), converter.errorMessage()
        layer.setRenderer(converter.renderer())
        layer.setLabeling(converter.labeling())
        told["styles"] = [one.layerName() for one in layer.renderer().styles()]
    settings = QgsMapSettings()
    settings.setDestinationCrs(QgsCoordinateReferenceSystem("EPSG:3857"))
    settings.setLayers([layer])
    settings.setExtent(QgsRectangle(float(west), float(south), float(east), float(north)))
    settings.setOutputSize(QSize(512, 512))
    settings.setBackgroundColor(QColor("white"))
    job = QgsMapRendererSequentialJob(settings)
    job.start()
    job.waitForFinished()
    image = job.renderedImage().convertToFormat(QImage.Format_RGB32)
    image.save(picture)
    colours: dict = {}
    for row in range(image.height()):
        for column in range(image.width()):
            name = image.pixelColor(column, row).name()
            colours[name] = colours.get(name, 0) + 1
    told["colours"] = dict(sorted(colours.items(), key=lambda one: -one[1])[:60])
    told["errors"] = [f"{error.layerID}: {error.message}" for error in job.errors()]
    print(json.dumps(told))
    application.exitQgis()


main()
