import cv2

import startrack

camera = cv2.VideoCapture(0)
with startrack.Tracker(colour="bgr") as tracker:
    while (read := camera.read())[0] and cv2.waitKey(1) != ord("q"):
        result = tracker.update(read[1])
        cv2.imshow("startrack", result.draw(read[1]))
